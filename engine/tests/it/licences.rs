//! What the program is made of may be given to anybody, under the licences that these tests know.

use std::collections::{HashMap, HashSet};
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than to be named. None of them reaches from one file to another.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "LLVM-exception",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
];

fn output_of(program: &str, arguments: &[&str]) -> String {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this test");
    let output = Command::new(program).args(arguments).current_dir(package).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The packages that are compiled into the program on this machine, with their licences.
fn packages_of_the_program() -> HashMap<String, String> {
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let about = output_of(&variable("RUSTC", "rustc"), &["-vV"]);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let arguments = ["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&output_of(&variable("CARGO", "cargo"), &arguments)).unwrap();
    let nodes: HashMap<&str, &Value> = (metadata["resolve"]["nodes"].as_array().unwrap().iter())
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let packages: HashMap<&str, &Value> = (metadata["packages"].as_array().unwrap().iter())
        .map(|package| (package["id"].as_str().unwrap(), package))
        .collect();
    let (program, _) = packages.iter().find(|(_, package)| package["name"] == "server").unwrap();
    let (mut reached, mut next) = (HashSet::new(), vec![*program]);
    while let Some(id) = next.pop() {
        if !reached.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            // Those of builds and tests are in no program.
            let is_normal = |kind: &Value| kind["kind"].is_null();
            if dependency["dep_kinds"].as_array().unwrap().iter().any(is_normal) {
                next.push(dependency["pkg"].as_str().unwrap());
            }
        }
    }
    let licence = |id: &str| packages[id]["license"].as_str().unwrap_or("none").to_owned();
    reached.into_iter().map(|id| (packages[id]["name"].as_str().unwrap().to_owned(), licence(id))).collect()
}

#[test]
fn nothing_in_the_program_asks_for_more_than_to_be_named() {
    let packages = packages_of_the_program();
    assert!(packages.len() > 100, "{packages:?}");
    let words = |licence: &str| -> Vec<String> {
        let words = licence.split(|c: char| c.is_whitespace() || "()/".contains(c));
        words.filter(|word| !["", "AND", "OR", "WITH"].contains(word)).map(str::to_owned).collect()
    };
    let is_allowed = |licence: &str| words(licence).iter().all(|word| ALLOWED.contains(&word.as_str()));
    let others: Vec<_> = packages.iter().filter(|(_, licence)| !is_allowed(licence)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(
        is_allowed("(Apache-2.0 OR MIT) AND BSD-3-Clause") && !is_allowed("MPL-2.0") && !is_allowed("none")
    );
}
