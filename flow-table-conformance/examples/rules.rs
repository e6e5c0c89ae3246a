//! Prints which cases are about each rule of the contract.

use flow_table_conformance::{CASES, Rule};

fn main() {
    for rule in Rule::ALL {
        println!("{rule:?}");
        for case in CASES.iter().filter(|case| case.rules.contains(rule)) {
            println!("    {}", case.name);
        }
    }
}
