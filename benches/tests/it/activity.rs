//! The questions to an audit trail are answered, and the answers that are known beforehand are right.

use benches::activity::{Trail, measure};

#[tokio::test(flavor = "multi_thread")]
async fn every_question_has_a_line_and_the_known_answers_are_right() {
    let trail = Trail { entries: 12_000, seed: 1, repetitions: 3 };
    let report = measure(trail).await.unwrap().to_markdown("the command").unwrap();
    for expected in [
        "# 12000 entries of an audit trail",
        "| command | `the command` |",
        "| what there is to filter by |",
        "| everything |",
        "| one item |",
        "| a text in no detail |",
        "| how many are of a scope |",
    ] {
        assert!(report.contains(expected), "{expected:?} is missing in\n{report}");
    }
    let size = |question: &str| {
        let line = report.lines().find(|line| line.starts_with(&format!("| {question} |"))).unwrap();
        line.split('|').map(str::trim).nth(7).unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(size("everything"), 100);
    assert_eq!(size("a text in many details"), 100, "the search finds what there is");
    assert_eq!(size("a field that many have"), 100);
    assert_eq!(size("a text in no detail"), 0);
    assert!(size("addresses") > 0 && size("a client") > 0 && size("a day in the middle") > 0, "{report}");
}
