//! The house rules that a machine can check: what lies where, who knows whom, what a file begins with.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Cargo says at run time which checkout it tests; the path of the build may be another one's, when checkouts
/// share a target folder.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this test");
    Path::new(&package).parent().unwrap().to_owned()
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn all_rust_files() -> Vec<PathBuf> {
    ["engine", "server", "data", "benches"].iter().flat_map(|part| rust_files(&root().join(part))).collect()
}

#[test]
fn the_top_level_is_what_the_readme_says() {
    let expected = [
        ".cargo",
        ".ci",
        ".clippy.toml",
        ".config",
        ".git",
        ".gitattributes",
        ".gitignore",
        ".rustfmt.toml",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "benches",
        "data",
        "engine",
        "queries",
        "server",
    ];
    // Folders that builds and runs leave behind; git ignores them.
    let ignored = ["target", "timberline-data", "timberline-demo"];
    let entries =
        fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = entries.filter(|name| !ignored.contains(&name.as_str())).collect();
    let unexpected: Vec<_> = found.iter().filter(|name| !expected.contains(&name.as_str())).collect();
    assert!(unexpected.is_empty(), "does not belong at the top level: {unexpected:?}");
    for required in ["Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "CHANGELOG.md", "queries", ".ci"] {
        assert!(found.contains(required), "{required} is missing");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in all_rust_files() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not begin with a //! line", file.display());
    }
}

/// `use` lines and paths in one part of the tree must not name what it is not to know.
#[track_caller]
fn does_not_know(part: &str, forbidden: &[&str]) {
    does_not_know_outside(part, "", forbidden);
}

/// The same, but for what lies in another part.
#[track_caller]
fn does_not_know_outside(part: &str, exempt: &str, forbidden: &[&str]) {
    let directory = root().join(part);
    let mut files = if directory.is_dir() { rust_files(&directory) } else { vec![directory] };
    files.retain(|file| exempt.is_empty() || !file.starts_with(root().join(exempt)));
    assert!(!files.is_empty(), "{part} has no files");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(word) = forbidden.iter().find(|word| code.contains(**word)) {
                panic!("{}:{} knows {word}", file.display(), number + 1);
            }
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    const LAYERS_ABOVE_STORAGE: &[&str] =
        &["datafusion", "crate::catalog", "crate::query", "crate::sql", "crate::engine", "crate::flush"];
    does_not_know(
        "engine/src/schema",
        &["datafusion", "parquet", "crate::storage", "crate::catalog", "crate::wal"],
    );
    does_not_know(
        "engine/src/ingest",
        &["datafusion", "parquet", "crate::storage", "crate::catalog", "crate::wal"],
    );
    does_not_know("engine/src/storage", LAYERS_ABOVE_STORAGE);
    does_not_know("engine/src/wal", LAYERS_ABOVE_STORAGE);
    does_not_know("engine/src/index", LAYERS_ABOVE_STORAGE);
    does_not_know("engine/src/index", &["crate::wal", "crate::ingest", "crate::buffer"]);
    does_not_know("engine/src/buffer", LAYERS_ABOVE_STORAGE);
    does_not_know("engine/src/pattern", LAYERS_ABOVE_STORAGE);
    does_not_know("engine/src/catalog", &["datafusion", "crate::query", "crate::sql", "crate::engine"]);
    does_not_know(
        "engine/src/query",
        &["sqlx", "crate::wal", "crate::ingest", "crate::engine", "DataFilePath"],
    );
    does_not_know("engine/src", &["axum", "hyper", "StatusCode", "process::exit"]);
    // Tests, which are told which seeds to run.
    does_not_know_outside("engine/src", "engine/src/simulation", &["env::var"]);
    does_not_know("server/src", &["datafusion", "parquet::", "ExecutionPlan"]);
    // The command line works on whole folders, and so on what lies in them.
    does_not_know("server/src/api", &["sidecar"]);
    does_not_know("data/src", &["datafusion", "parquet", "engine::"]);
}

#[test]
fn only_the_clock_reads_the_time() {
    let allowed = root().join("engine/src/clock.rs");
    for file in rust_files(&root().join("engine/src")) {
        let text = fs::read_to_string(&file).unwrap();
        let reads = ["Utc::now(", "SystemTime::now("].iter().any(|call| text.contains(call));
        assert!(!reads || file == allowed, "{} reads the time itself", file.display());
    }
}

#[test]
fn the_architecture_names_files_that_exist() {
    let text = fs::read_to_string(root().join("engine/ARCHITECTURE.md")).unwrap();
    let paths = text.split('`').skip(1).step_by(2).filter(|word| {
        ["engine/", "server/", "data/", "queries/", "benches/"].iter().any(|part| word.starts_with(part))
    });
    let missing: Vec<_> = paths.filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
}

#[test]
fn the_query_sets_have_headers() {
    let sets = root().join("queries");
    for set in fs::read_dir(&sets).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for query in fs::read_dir(&set).unwrap().map(|entry| entry.unwrap().path()) {
            if query.extension().is_some_and(|extension| extension == "sql") {
                let text = fs::read_to_string(&query).unwrap();
                assert!(text.starts_with("-- "), "{} has no header", query.display());
            }
        }
    }
}
