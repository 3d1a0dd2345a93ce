//! What must not compile, with the messages that users see, and twins that must.
//!
//! `TRYBUILD=overwrite cargo test --test ui` writes the messages anew; review them as prose.

#[test]
fn mistakes_are_reported_on_the_users_tokens() {
    let cases = trybuild::TestCases::new();
    for topic in ["attributes", "shapes", "names", "serde", "types"] {
        cases.compile_fail(format!("tests/ui/{topic}/*.rs"));
    }
    cases.pass("tests/ui/pass/*.rs");
}
