//! Runs the command `soak` for a limited number of operations.

use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;

fn soak(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flow-table-bench"))
        .arg("soak")
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[rstest]
#[case("dashmap")]
#[case("custom")]
fn no_rule_is_violated(#[case] backend: &str) {
    let arguments =
        ["--backend", backend, "--operations", "120_000", "--threads", "3", "--flows", "500", "--json"];
    let output = soak(&arguments);
    assert!(output.status.success(), "{}{}", text(&output.stderr), text(&output.stdout));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&summary["backend"], &summary["violation"]), (&backend.into(), &Value::Null), "{summary}");
    // Each thread does its third, and what it began within a burst; a round is at most four times the flows.
    assert!((120_000..121_000).contains(&summary["operations"].as_u64().expect("a number")), "{summary}");
    assert_eq!(summary["rounds"], 20, "{summary}");
    for (operation, times) in summary["by_operation"].as_object().expect("an object") {
        assert!(times.as_u64() > Some(0), "{operation} in {summary}");
    }
    for end in ["expired", "cancelled", "removed", "replaced"] {
        assert!(summary["ended"][end].as_u64() > Some(0), "{end} in {summary}");
    }
    // Most rounds are hostile, and in three of the twenty a burst is forgotten.
    assert_eq!(summary["bursts_forgotten"], 3, "{summary}");
    assert!(summary["panics"].as_u64() > Some(0), "{summary}");
}

#[rstest]
#[case("dashmap")]
#[case("custom")]
fn one_seed_is_one_run(#[case] backend: &str) {
    let arguments =
        ["--backend", backend, "--operations", "20000", "--threads", "1", "--flows", "500", "--seed", "7"];
    let runs = [0, 1].map(|_| {
        let output = soak(&[&arguments[..], &["--json"]].concat());
        let mut summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for measured in ["seconds", "table_bytes", "resident_bytes"] {
            summary[measured] = Value::Null;
        }
        summary
    });
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn people_see_how_far_it_is() {
    let output = soak(&["--minutes", "0.001", "--threads", "2", "--flows", "100"]);
    assert!(output.status.success());
    let (progress, summary) = (text(&output.stderr), text(&output.stdout));
    assert!(
        progress.lines().all(|line| line.contains(" operations, ") && line.contains("resident")),
        "{progress}"
    );
    for part in ["custom: 2 threads, room for 100 flows, seed ", "no rule violated", "lookup ", "expired "] {
        assert!(summary.contains(part), "{part} in\n{summary}");
    }
}

#[rstest]
#[case(&["--minutes", "0"])]
#[case(&["--minutes", "inf"])]
#[case(&["--minutes", "1", "--operations", "1"])]
#[case(&["--operations", "0"])]
#[case(&["--threads", "0"])]
#[case(&["--flows", "1"])]
fn wrong_usage_is_told(#[case] arguments: &[&str]) {
    assert_eq!(soak(arguments).status.code(), Some(2));
}
