//! Makes inputs from captures. `seeds CAPTURES CORPUS` reads each file in the folder `CAPTURES`, and writes to the
//! folders of the targets in `CORPUS`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result};
use flow_table_fuzz::seeds;

fn main() -> Result<()> {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let (captures, corpus) = args.next().zip(args.next()).context("usage: seeds CAPTURES CORPUS")?;
    for entry in fs::read_dir(&captures).with_context(|| format!("cannot read {}", captures.display()))? {
        let file = fs::read(entry?.path())?;
        for (target, seed) in seeds::of(&file) {
            let mut hasher = DefaultHasher::new();
            seed.hash(&mut hasher);
            let folder = corpus.join(target);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(format!("{:016x}", hasher.finish())), seed)?;
        }
    }
    Ok(())
}
