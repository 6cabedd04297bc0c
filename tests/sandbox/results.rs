//! What may be returned, how it is written, and what is said of everything else.

use std::os::unix::fs::PermissionsExt;

use poundlock::domain::release::OutputFormat;
use poundlock::runtime::{Phase, Stop};

use crate::workshop::Workshop;

#[test]
fn plain_values_become_json() {
    let workshop = Workshop::bare();
    for (returned, json) in [
        ("None", "null"),
        ("True", "true"),
        ("-3", "-3"),
        ("2**64 - 1", "18446744073709551615"),
        ("0.1", "0.1"),
        ("'größer'", "\"größer\""),
        ("[1, (2, [3])]", "[1,[2,[3]]]"),
        ("{'z': 1, 'a': {5: True}}", "{\"z\":1,\"a\":{\"5\":true}}"),
        (
            "[float('nan'), float('inf'), -float('inf')]",
            "[\"NaN\",\"Infinity\",\"-Infinity\"]",
        ),
    ] {
        let (file, bytes) = workshop.returned(&format!("def run(): return {returned}"), Vec::new());
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            format!("{json}\n"),
            "{returned}"
        );
        assert_eq!(
            (file.format, file.length, file.hash),
            (
                OutputFormat::Json,
                bytes.len() as u64,
                poundlock::domain::hash::Hash::of(&bytes)
            )
        );
        assert_eq!(
            std::fs::metadata(&file.path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn members_of_enumerations_become_what_they_hold() {
    let source = "
from enum import Enum
class Colour(str, Enum):
    RED = 'red'
class Size(int, Enum):
    BIG = 3
def run():
    return {Colour.RED: Colour.RED, Size.BIG: [Size.BIG]}
";
    let text = Workshop::bare().text(source, Vec::new());
    assert_eq!(text, "{\"red\":\"red\",\"3\":[3]}\n");
}

#[test]
fn values_of_numpy_and_pandas_within_json_become_plain() {
    let source = "
import numpy, pandas
def run():
    return {'i': numpy.int8(3), 'f': numpy.float32(0.5), 'a': numpy.eye(2), 'm': pandas.NA, numpy.int64(7): 'k'}
";
    let text = Workshop::scientific().text(source, Vec::new());
    assert_eq!(
        text,
        "{\"i\":3,\"f\":0.5,\"a\":[[1.0,0.0],[0.0,1.0]],\"m\":null,\"7\":\"k\"}\n"
    );
}

#[test]
fn tables_become_csv_with_their_index_where_it_says_something() {
    let workshop = Workshop::scientific();
    for (returned, csv) in [
        (
            "pandas.DataFrame({'a': [1, 2], 'b': ['x,y', None]})",
            "a,b\n1,\"x,y\"\n2,\n",
        ),
        ("pandas.DataFrame({'a': [1.5]}, index=['r'])", ",a\nr,1.5\n"),
        (
            "pandas.DataFrame({'a': [1, 1, 2], 'b': [1, 3, 5]}).groupby('a').b.mean()",
            "a,b\n1,2.0\n2,5.0\n",
        ),
        ("pandas.Series([1, 2])", "value\n1\n2\n"),
        // Longer than what NumPy prints whole, and with more digits.
        (
            "pandas.DataFrame({'a': [1] * 1500, 'b': [0.1234567890123] * 1500}).groupby('a').b.apply(lambda b: b.to_numpy())",
            &format!("a,b\n1,\"[{}]\"\n", ["0.1234567890123"; 1500].join(", ")),
        ),
        (
            "pandas.DataFrame({'a': [[1, None], {'k': 'ß'}, 'text']})",
            "a\n\"[1, null]\"\n\"{\"\"k\"\": \"\"ß\"\"}\"\ntext\n",
        ),
        ("pandas.DataFrame([])", "\"\"\n"),
        ("pandas.DataFrame({'a': [float('nan')]})", "a\n\"\"\n"),
        (
            "pandas.DataFrame({'a': ['x\\ry', 'x\\ny', 'x\\r\\ny']})",
            "a\n\"x\ry\"\n\"x\ny\"\n\"x\r\ny\"\n",
        ),
        (
            "pandas.DataFrame({'a': [1, 1, 2], 'b': [1, 3, 5]}).groupby('a').agg({'b': ['min', 'max']})",
            "a,b_min,b_max\n1,1,3\n2,5,5\n",
        ),
        (
            "pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_tuples([('a', ''), ('b', 3)]))",
            "a,b_3\n1,2\n",
        ),
    ] {
        let (file, bytes) = workshop.returned(
            &format!("import pandas\ndef run(): return {returned}"),
            Vec::new(),
        );
        assert_eq!(
            (String::from_utf8(bytes).unwrap().as_str(), file.format),
            (csv, OutputFormat::Csv),
            "{returned}"
        );
    }
}

#[test]
fn columns_that_become_one_are_refused() {
    let source = "
import pandas
def run():
    return pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_tuples([('a', 'b_c'), ('a_b', 'c')]))
";
    let (report, log) = Workshop::scientific().failed(source);
    assert_eq!(report.phase, Phase::Result);
    assert!(log.contains("two columns of the result have one name"), "{log}");
}

#[test]
fn a_table_of_an_older_pandas_is_written_too() {
    let source = "
import pandas
def run():
    newer = pandas.DataFrame.to_csv
    pandas.DataFrame.to_csv = lambda self, index=True, line_terminator=None: newer(
        self, index=index, lineterminator=line_terminator
    )
    return pandas.DataFrame({'a': [1]})
";
    assert_eq!(Workshop::scientific().text(source, Vec::new()), "a\n1\n");
}

#[test]
fn what_is_masked_does_not_leave() {
    let workshop = Workshop::scientific();
    for returned in [
        "numpy.ma.masked_less([120, 3, 55, 1], 5)",
        "numpy.ma.masked_less([1.5, 0.5], 1)",
        "numpy.ma.array(3, mask=True)",
        "numpy.ma.array([1, 2])",
    ] {
        let (report, log) = workshop.failed(&format!("import numpy\ndef run(): return {returned}"));
        assert_eq!((report.phase, report.class.name()), (Phase::Result, "TypeError"));
        assert!(
            log.contains("masked array") && log.contains(".filled("),
            "{returned}: {log}"
        );
    }
    for (returned, json) in [
        ("numpy.ma.masked", "null\n"),
        ("numpy.ma.masked_less([1, 2], 5).mean()", "null\n"),
        ("numpy.ma.masked_less([7, 2], 5).tolist()", "[7,null]\n"),
        ("{'a': numpy.ma.masked_less([7, 2], 5)}", "{\"a\":[7,null]}\n"),
    ] {
        let text = workshop.text(&format!("import numpy\ndef run(): return {returned}"), Vec::new());
        assert_eq!(text, json, "{returned}");
    }
}

#[test]
fn arrays_become_npy_that_numpy_reads() {
    let workshop = Workshop::scientific();
    for (returned, descr) in [
        (
            "numpy.arange(6, dtype='>i4').reshape(2, 3).T",
            "'<i4', 'fortran_order': False, 'shape': (3, 2)",
        ),
        (
            "numpy.array([True, False])",
            "'|b1', 'fortran_order': False, 'shape': (2,)",
        ),
        (
            "numpy.array(['ä', 'bc'])",
            "'<U2', 'fortran_order': False, 'shape': (2,)",
        ),
        (
            "numpy.array(3 + 1j)",
            "'<c16', 'fortran_order': False, 'shape': ()",
        ),
    ] {
        let (file, bytes) =
            workshop.returned(&format!("import numpy\ndef run(): return {returned}"), Vec::new());
        assert_eq!(file.format, OutputFormat::Npy);
        assert!(
            String::from_utf8_lossy(&bytes).contains(descr),
            "{returned}: {}",
            String::from_utf8_lossy(&bytes)
        );
        let check = format!(
            "import io, numpy\ndef run():\n    read = numpy.load(io.BytesIO(bytes({bytes:?})))\n    \
             return bool((read == ({returned})).all())"
        );
        assert_eq!(workshop.text(&check, Vec::new()), "true\n", "{returned}");
    }
}

#[test]
fn a_figure_becomes_an_image_without_matplotlibs_signature() {
    let source = "
import matplotlib.pyplot as plt
def run():
    figure, axes = plt.subplots()
    axes.plot([1, 3, 2])
    return figure
";
    let (file, bytes) = Workshop::scientific().returned(source, Vec::new());
    assert_eq!(file.format, OutputFormat::Png);
    assert!(file.format.reviewable());
    assert!(bytes.starts_with(b"\x89PNG"));
    for hidden in [&b"Matplotlib"[..], b"tEXt", b"pHYs"] {
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
    }
}

#[test]
fn bytes_stay_as_they_are_and_are_marked() {
    let (file, bytes) = Workshop::bare().returned("def run(): return bytes(range(256))", Vec::new());
    assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
    assert!(!file.format.reviewable());
}

#[test]
fn everything_else_is_an_error_that_says_what_is_allowed() {
    let workshop = Workshop::bare();
    for returned in [
        "object()",
        "{1, 2}",
        "open",
        "[lambda: 1]",
        "1j",
        "(i for i in [])",
        "{(1, 2): 3}",
        "2**64",
    ] {
        let (report, log) = workshop.failed(&format!("def run(): return {returned}"));
        assert_eq!(
            (report.phase, report.line, report.stopped_by),
            (Phase::Result, None, None),
            "{returned}"
        );
        assert!(log.contains("may") || log.contains("must"), "{returned}: {log}");
    }
    let (_, log) = workshop.failed("def run(): return object()");
    assert!(
        log.contains("a function may return None, bool, int, float, str, bytes"),
        "{log}"
    );
    let source = "import numpy\ndef run(): return numpy.array([object()])";
    let (report, _) = Workshop::scientific().failed(source);
    assert_eq!((report.phase, report.class.name()), (Phase::Result, "TypeError"));
}

#[test]
fn a_failure_tells_its_phase_its_line_and_no_message() {
    let workshop = Workshop::bare();
    let helper = "\ndef helper(x):\n    return 1 / x\n\ndef run():\n    return helper(0)\n";
    for (source, phase, line, class) in [
        (helper, Phase::Call, Some(3), "ZeroDivisionError"),
        (
            "def run():\n    raise KeyError('secret')\n",
            Phase::Call,
            Some(2),
            "KeyError",
        ),
        (
            "class Secret(LookupError): pass\ndef run():\n    raise Secret()\n",
            Phase::Call,
            Some(3),
            "LookupError",
        ),
        (
            "import nowhere\ndef run(): pass\n",
            Phase::Import,
            Some(1),
            "ModuleNotFoundError",
        ),
        ("def run(:\n", Phase::Import, Some(1), "SyntaxError"),
        ("def other(): pass\n", Phase::Import, None, "KeyError"),
        (
            "import sys\ndef run():\n    sys.exit(0)\n",
            Phase::Call,
            Some(3),
            "SystemExit",
        ),
        (
            "import json\ndef run():\n    json.loads('{')\n",
            Phase::Call,
            Some(3),
            "ValueError",
        ),
    ] {
        let (report, log) = workshop.failed(source);
        assert_eq!(
            (report.phase, report.line, report.class.name()),
            (phase, line, class),
            "{source}\n{log}"
        );
        let told = serde_json::to_string(&report).unwrap();
        assert!(!told.contains("secret") && !told.contains("Secret"), "{told}");
    }
}

#[test]
fn the_interpreter_ending_without_a_word_is_a_failure() {
    let workshop = Workshop::bare();
    let (report, _) = workshop.failed("import os\ndef run(): os._exit(0)");
    assert_eq!(report.stopped_by, Some(Stop::NoResult));
    let (report, _) = workshop.failed("import ctypes\ndef run(): ctypes.string_at(0)");
    assert_eq!(report.stopped_by, Some(Stop::Crash));
}

#[test]
fn the_log_holds_both_streams_in_order() {
    let workshop = Workshop::bare();
    let source = "import sys\ndef run():\n    print('one')\n    print('two', file=sys.stderr)\n    print('three')\n    return 1";
    let job = workshop.job(source);
    workshop.run(&job).unwrap();
    assert_eq!(crate::workshop::log(&job), "one\ntwo\nthree\n");
    assert_eq!(
        std::fs::metadata(&job.log_path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}
