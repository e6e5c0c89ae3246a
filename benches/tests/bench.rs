//! Runs the command `bench` at a tiny size: everything once, from measuring to the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const WORKLOADS: [&str; 15] = [
    "lookup_hit",
    "lookup_hit_batch",
    "lookup_zipf",
    "borrow_hit",
    "borrow_hit_batch",
    "lookup_miss",
    "lookup_miss_batch",
    "churn",
    "packet_mix",
    "reap_storm",
    "reap_idle",
    "grow",
    "flood",
    "nat_pair",
    "iterate",
];

/// In alphabetical order.
const FIELDS: [&str; 11] = [
    "bytes_per_flow",
    "candidate",
    "flows",
    "max_ns",
    "ns_per_op",
    "ops",
    "p50",
    "p99",
    "p9999",
    "threads",
    "workload",
];

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flow-table-bench"))
        .arg("bench")
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in Unicode")
}

#[test]
fn everything_once() {
    let (record, report) = (scratch("record"), scratch("BENCHMARKS.md"));
    let output = bench(&[
        "--flows",
        "256",
        "--threads",
        "1,2",
        "--peers",
        "--rounds",
        "1",
        "--turn",
        "0",
        "--json",
        "--record",
        path(&record),
        "--report",
        path(&report),
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let rows: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();

    for row in &rows {
        let fields: Vec<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(fields, FIELDS, "{row}");
        assert!(row["ops"].as_u64() > Some(0), "{row}");
        let ns = &row["ns_per_op"];
        assert!(
            ns["min"].as_f64() <= ns["median"].as_f64() && ns["median"].as_f64() <= ns["max"].as_f64(),
            "{row}"
        );
        assert_eq!(
            row["bytes_per_flow"].is_number(),
            cfg!(target_os = "linux") && row["workload"] == "grow",
            "{row}"
        );
    }
    for workload in WORKLOADS {
        for backend in ["dashmap", "custom"] {
            let is = |row: &&Value| row["workload"] == workload && row["candidate"] == backend;
            let alone = ["grow", "iterate", "reap_idle", "reap_storm"].contains(&workload);
            assert_eq!(rows.iter().filter(is).count(), if alone { 1 } else { 2 }, "{workload} {backend}");
        }
    }
    for peer in [
        "papaya",
        "scc",
        "moka",
        "quick_cache",
        "rwlock_hashbrown",
        "floor",
        "floor_counted",
        "floor_serial",
        "floor_4k",
    ] {
        assert!(rows.iter().any(|row| row["candidate"] == peer), "{peer}");
    }
    for (peer, is_built) in [("dpdk_rte_hash", cfg!(flow_table_dpdk)), ("urcu_lfht", cfg!(flow_table_lfht))] {
        assert_eq!(rows.iter().any(|row| row["candidate"] == peer), is_built, "{peer}");
        let is_skipped = text(&output.stderr).contains(&format!("SKIPPED: {peer}: "));
        assert_eq!(is_skipped, cfg!(feature = "c-peers") && !is_built, "{peer}");
    }

    let page = fs::read_to_string(&report).expect("a report");
    for part in [
        "| look-up miss, 64 k flows | ≥ 1.50× | not measured | | – |",
        "| `lookup_hit` | 256 |",
        "Not counted: there is no `instructions.md`",
        "| ratio to `dashmap` |",
        "### `nat_pair`",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    for plot in ["lookup", "lookup_batch", "miss", "churn", "grow", "bytes", "threads", "threads_lookup"] {
        let plot = format!("record/plots/{plot}.svg");
        assert!(page.contains(&format!("({plot})")), "{plot}");
        assert!(fs::read_to_string(scratch(&plot)).expect("a plot").contains("</svg>"));
    }

    let output = bench(&["compare", path(&record), path(&record)]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("All of them agree"), "{}", text(&output.stdout));
}

#[test]
fn what_has_become_slower_is_told() {
    let (fast, slow) = (scratch("fast"), scratch("slow"));
    let arguments =
        ["--flows", "256", "--workload", "churn,lookup_hit", "--rounds", "1", "--turn", "0", "--record"];
    let output = bench(&[&arguments[..], &[path(&fast)]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.contains("churn") && table.contains("floor_counted") && table.contains("× dashmap"), "{table}");

    fs::create_dir_all(&slow).expect("a scratch directory");
    fs::copy(fast.join("machine.json"), slow.join("machine.json")).expect("the machine");
    let rows = fs::read_to_string(fast.join("results.jsonl")).expect("results");
    let slower = rows.lines().map(|line| {
        let mut row: Value = serde_json::from_str(line).expect("JSON");
        if row["candidate"] == "custom" && row["workload"] == "churn" {
            for field in ["min", "median", "max"] {
                row["ns_per_op"][field] = (3.0 * row["ns_per_op"][field].as_f64().expect("a number")).into();
            }
        }
        format!("{row}\n")
    });
    fs::write(slow.join("results.jsonl"), slower.collect::<String>()).expect("a scratch file");
    let output = bench(&["compare", path(&fast), path(&slow)]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("churn") && said.contains("SLOWER") && said.contains("ratio 3.00"), "{said}");
    assert!(bench(&["compare", path(&slow), path(&fast)]).status.success());
}

#[test]
fn bad_records_and_names_are_told() {
    for (arguments, complaint) in [
        (&["compare", "nowhere", "nowhere"][..], "nowhere/machine.json: cannot read"),
        (&["report", "nowhere"], "nowhere/machine.json: cannot read"),
        (&["--workload", "lookup"], "there is no workload 'lookup'"),
        (&["--backend", "scc"], "the backends are dashmap and custom"),
        (&["--flows", "255"], "must be at least 256"),
    ] {
        let output = bench(arguments);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(complaint), "{complaint} in\n{}", text(&output.stderr));
    }
}
