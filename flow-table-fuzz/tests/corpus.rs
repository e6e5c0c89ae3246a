//! The fuzz targets over the corpus and over captures, without a fuzzer.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flow_table_fuzz::{TARGETS, Target, operations, seeds};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// Runs `check` over the corpus of `name`, and returns the number of inputs.
fn passes(name: &str, check: fn(&[u8])) -> usize {
    let inputs = files(&Path::new(CORPUS).join(name));
    let fails = |path: &&PathBuf| {
        let bytes = fs::read(path).expect("the file can be read");
        catch_unwind(|| check(&bytes)).is_err()
    };
    let failed: Vec<_> = inputs.iter().filter(fails).collect();
    assert!(failed.is_empty(), "{failed:?}");
    inputs.len()
}

#[test]
fn every_target_passes_its_corpus() {
    for Target { name, check } in TARGETS {
        assert!(passes(name, check) > 0, "the corpus of {name} is empty");
    }
}

#[test]
fn each_backend_passes_the_operations_found_for_the_other() {
    passes("operations_dashmap", operations::custom);
    passes("operations_custom", operations::dashmap);
}

/// The captures that `.ci/run` replays, if they exist.
#[test]
fn captures_pass() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures");
    let folder = env::var_os("FLOW_TABLE_CAPTURES").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if !folder.is_dir() {
        println!("SKIPPED: there is no {}", folder.display());
        return;
    }
    for path in files(&folder) {
        println!("{}", path.display());
        for (target, seed) in seeds::of(&fs::read(&path).expect("the file can be read")) {
            let target = TARGETS.iter().find(|known| known.name == target).expect("seeds are for targets");
            (target.check)(&seed);
        }
    }
}
