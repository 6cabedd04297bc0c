//! Targets for a coverage-guided fuzzer, one for each parser of what comes from outside: `scripts/fuzz` builds and runs them.

// By its path, so that the tests, which take the same file in by its path, find what lies beside it in the same place.
#[path = "parsers.rs"]
pub mod parsers;

use std::path::Path;

use parsers::Parser;
use poundlock::runtime::format;

/// Before the first input. The fuzzer ends at every panic, as a node does, but for those that a node catches too. Writes the
/// parser's seeds into the folder that `POUNDLOCK_FUZZ_SEEDS` names, if it names one.
///
/// # Panics
/// The folder cannot be written.
pub fn begin(parser: &Parser) {
    let end = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !format::is_reading() {
            end(panic);
        }
    }));
    let Some(folder) = std::env::var_os("POUNDLOCK_FUZZ_SEEDS") else {
        return;
    };
    for (number, seed) in parser.seeds.iter().enumerate() {
        std::fs::write(Path::new(&folder).join(format!("golden-{number}")), seed).expect("write a seed");
    }
}

/// The whole of a target: every input goes to the parser of that name.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        thread_local! {
            static PARSER: std::cell::RefCell<$crate::parsers::Parser> =
                std::cell::RefCell::new($crate::parsers::Parser::named($name));
        }
        libfuzzer_sys::fuzz_target!(
            init: PARSER.with_borrow(|parser| $crate::begin(parser)),
            |bytes: &[u8]| {
                PARSER.with_borrow_mut(|parser| parser.feed(bytes));
            }
        );
    };
}
