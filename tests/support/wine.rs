//! What Wine does otherwise than Windows. tests/wine/run says that this is Wine.

/// Whether `test` meets such a thing, and is skipped for it.
pub fn differs(test: &str, how: &str) -> bool {
    let wine = std::env::var_os("NISHAD_WINE").is_some();
    if wine {
        println!("{test}: skipped: under Wine {how}");
    }
    wine
}
