//! The committed header is what cbindgen makes of the sources.

use std::path::Path;

/// Set this to anything to write the header.
const WRITE: &str = "FLOW_TABLE_WRITE_HEADER";

#[test]
fn the_header_is_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("the configuration");
    let bindings = cbindgen::Builder::new().with_crate(folder).with_config(config).generate().expect("a header");
    let mut made = Vec::new();
    bindings.write(&mut made);
    let (made, path) = (String::from_utf8(made).expect("UTF-8"), folder.join("include/flow_table.h"));
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &made).expect("the header can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "include/flow_table.h is out of date: run the test again with {WRITE}=1");
}
