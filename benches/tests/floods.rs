//! Runs the command `floods`, with small floods.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn each_backend_is_measured_before_in_and_after_each_flood() {
    let record = Path::new(env!("CARGO_TARGET_TMPDIR")).join("floods");
    let output = Command::new(env!("CARGO_BIN_EXE_flow-table-bench"))
        .args(["floods", "--floods", "3", "--flows", "40_000", "--lasting", "1_000", "--json", "--record"])
        .arg(&record)
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results = fs::read(record.join("results.jsonl")).expect("results");
    assert_eq!(results, output.stdout);
    let rows: Vec<Value> =
        serde_json::Deserializer::from_slice(&results).into_iter().collect::<Result<_, _>>().expect("JSON");

    for backend in ["dashmap", "custom"] {
        let rows: Vec<&Value> = rows.iter().filter(|row| row["backend"] == backend).collect();
        assert_eq!(rows.len(), 1 + 2 * 3, "{rows:?}");
        let before = rows[0]["table_bytes"].as_u64().expect("bytes");
        for (place, row) in rows.iter().enumerate() {
            let moment = if place == 0 { "before" } else { ["full", "reaped"][(place - 1) % 2] };
            assert_eq!((&row["moment"], &row["flood"]), (&moment.into(), &place.div_ceil(2).into()), "{row}");
            let full = moment == "full";
            assert_eq!(row["flows"], if full { 41_000 } else { 1_000 }, "{row}");
            let most = 2 * before + (1 << 20);
            assert_eq!(row["table_bytes"].as_u64() > Some(most), full, "{row}");
            assert_eq!(row["resident_bytes"].is_u64(), cfg!(target_os = "linux"), "{row}");
        }
    }
    assert!(record.join("machine.json").exists());
    let plot = fs::read_to_string(record.join("memory.svg")).expect("a plot");
    assert!(plot.contains("</svg>") && plot.contains("custom, resident"), "{plot}");
}
