//! Prints the page on permissions: `cargo run --example permissions_page > docs/PERMISSIONS.md`.

fn main() {
    print!("{}", poundlock::api::permissions::page());
}
