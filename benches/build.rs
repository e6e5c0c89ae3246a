//! Tells the program which compiler built it, as benchmark records contain the compiler. With the feature
//! `c-peers`, builds the peers written in C whose libraries are installed.

use std::env;
use std::process::Command;

fn main() {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output();
    let version = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    println!("cargo::rustc-env=FLOW_TABLE_COMPILER={}", version.trim());
    println!("cargo::rustc-env=FLOW_TABLE_TARGET={}", env::var("TARGET").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(flow_table_dpdk, flow_table_lfht)");
    #[cfg(feature = "c-peers")]
    c_peers::build();
}

#[cfg(feature = "c-peers")]
mod c_peers {
    use std::env;
    use std::path::PathBuf;

    use pkg_config::{Config, Library};

    /// A peer, and what it is built from.
    struct Peer {
        /// What bench output calls it.
        name: &'static str,
        /// The cfg of the code that uses it.
        cfg: &'static str,
        source: &'static str,
        std: &'static str,
        /// The packages as pkg-config knows them, and their oldest versions.
        packages: &'static [(&'static str, &'static str)],
        /// What it links. The packages would add much that it does not use.
        libraries: &'static [&'static str],
    }

    const PEERS: [Peer; 2] = [
        Peer {
            name: "dpdk_rte_hash",
            cfg: "flow_table_dpdk",
            source: "c/dpdk.c",
            // DPDK's headers need the compiler's extensions.
            std: "gnu11",
            packages: &[("libdpdk", "21.11")],
            libraries: &["rte_hash", "rte_rcu", "rte_eal"],
        },
        Peer {
            name: "urcu_lfht",
            cfg: "flow_table_lfht",
            source: "c/lfht.c",
            std: "c11",
            packages: &[("liburcu-cds", "0.13"), ("liburcu-qsbr", "0.13")],
            libraries: &["urcu-cds", "urcu-qsbr"],
        },
    ];

    /// What all of them need.
    const SHARED: [&str; 3] = ["c/flows.c", "c/memory.c", "c/wheel.c"];

    pub(super) fn build() {
        println!("cargo::rerun-if-changed=c");
        // A library may be installed later.
        let folders = pkg_config::get_variable("pkg-config", "pc_path").unwrap_or_default();
        for folder in env::split_paths(&folders).filter(|folder| folder.exists()) {
            println!("cargo::rerun-if-changed={}", folder.display());
        }
        let mut found = Vec::new();
        for peer in &PEERS {
            match probe(peer) {
                Ok(libraries) => found.push((peer, libraries)),
                Err(package) => {
                    println!("cargo::warning=SKIPPED: {}: {package} was not found by pkg-config", peer.name);
                }
            }
        }
        // Peers before what they share: linkers look for what is missing in what follows.
        for (peer, libraries) in &found {
            compile(peer, libraries);
        }
        if !found.is_empty() {
            let mut shared = compiler();
            shared.files(SHARED).std("c11").compile("flow_table_shared");
        }
        for (peer, libraries) in &found {
            link(peer, libraries);
        }
    }

    /// Finds all packages of a peer, or returns the name of one that is missing.
    fn probe(peer: &Peer) -> Result<Vec<Library>, &'static str> {
        let find = |&(package, version)| {
            Config::new().atleast_version(version).cargo_metadata(false).probe(package).map_err(|_| package)
        };
        peer.packages.iter().map(find).collect()
    }

    fn compiler() -> cc::Build {
        let mut build = cc::Build::new();
        build.extra_warnings(true).warnings(true);
        build
    }

    fn compile(peer: &Peer, libraries: &[Library]) {
        let mut build = compiler();
        build.file(peer.source).std(peer.std);
        for folder in libraries.iter().flat_map(|library| &library.include_paths) {
            build.flag("-isystem").flag(folder);
        }
        if peer.cfg == "flow_table_dpdk" && env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64") {
            // libdpdk.pc asks for it, and the crate pkg-config does not pass such flags on.
            build.flag("-march=corei7");
        }
        build.compile(peer.cfg);
        println!("cargo::rustc-cfg={}", peer.cfg);
    }

    fn link(peer: &Peer, libraries: &[Library]) {
        let folders: Vec<&PathBuf> = libraries.iter().flat_map(|library| &library.link_paths).collect();
        for folder in folders {
            println!("cargo::rustc-link-search=native={}", folder.display());
        }
        for library in peer.libraries {
            println!("cargo::rustc-link-lib=dylib={library}");
        }
    }
}
