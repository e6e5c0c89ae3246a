//! Checks what the manifests of the packages say: whether each could be published, and what the registry and
//! docs.rs would show.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The packages of the workspace, as `cargo metadata` describes them.
fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// `publish = false` is an empty list of registries.
fn is_published(package: &Value) -> bool {
    package["publish"].is_null()
}

fn text<'p>(package: &'p Value, field: &str) -> &'p str {
    package[field].as_str().unwrap_or_default()
}

#[test]
fn published_packages_say_what_the_registry_shows() {
    let packages = packages();
    let published: Vec<_> = packages.iter().filter(|package| is_published(package)).collect();
    assert!(published.len() >= 6, "the facade, the API, two backends, the suite, the tool");
    for package in published {
        let name = text(package, "name");
        let list = |field: &str| package[field].as_array().map_or(0, Vec::len);
        assert!(!text(package, "description").is_empty(), "{name}: description");
        assert_eq!(text(package, "license"), "MIT OR Apache-2.0", "{name}: license");
        assert!((3..=5).contains(&list("keywords")), "{name}: three to five keywords");
        assert!((1..=5).contains(&list("categories")), "{name}: one to five categories");
        assert_eq!(text(package, "readme"), "README.md", "{name}: readme");
        assert_eq!(package["metadata"]["docs"]["rs"]["all-features"], true, "{name}: metadata for docs.rs");
        let folder = Path::new(text(package, "manifest_path")).parent().expect("a folder");
        for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(folder.join(file).exists(), "{name}: {file}");
        }
        let manifest = std::fs::read_to_string(text(package, "manifest_path")).expect("a manifest");
        assert!(manifest.contains("\ninclude = ["), "{name}: a list of the files to include");
    }
}

#[test]
fn published_packages_need_no_others() {
    let packages = packages();
    let (published, others): (BTreeSet<_>, BTreeSet<_>) = {
        let names = |wanted: bool| packages.iter().filter(move |package| is_published(package) == wanted);
        (
            names(true).map(|package| text(package, "name")).collect(),
            names(false).map(|p| text(p, "name")).collect(),
        )
    };
    assert!(others.contains("flow-table-benches") && others.contains("flow-table-fuzz"), "{others:?}");
    for package in packages.iter().filter(|package| published.contains(text(package, "name"))) {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            // Cargo leaves out a dependency of tests that has no version.
            let left_out = text(dependency, "kind") == "dev" && text(dependency, "req") == "*";
            let needs = text(dependency, "name");
            assert!(left_out || !others.contains(needs), "{} needs {needs}", text(package, "name"));
        }
    }
}

/// The documentation cannot link to a file, so the picture stands in it, as an address.
#[test]
fn the_picture_of_the_documentation_is_that_of_the_readme() {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let picture: String = include_str!("../docs/table.svg").bytes().map(encoded).collect();
    let expected = format!("[picture]: data:image/svg+xml,{picture}\n");
    assert!(include_str!("../docs/picture.md") == expected, "docs/picture.md should be: {expected}");
}
