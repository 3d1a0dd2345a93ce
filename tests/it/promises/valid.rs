//! 2. Valid: a version is visible only after it passed everything.

use crate::support::{Small, by_hand};
use hotconf::HotConf;

#[test]
fn a_version_outside_of_its_range_is_never_visible() {
    let (config, handle) = by_hand::<Small>("n = 1");
    handle.set("n = 1000001");
    assert!(config.blocking_reload().expect_err("out of range").is_invalid());
    assert_eq!((config.load().n, config.version()), (1, 1));
}

#[derive(Clone, Debug, HotConf)]
#[hotconf(check = ordered)]
struct Limits {
    low: u32,
    high: u32,
}

fn ordered(limits: &Limits) -> Result<(), String> {
    assert!(limits.low <= 900, "low is {}", limits.low);
    if limits.low <= limits.high { Ok(()) } else { Err("`low` must not be above `high`".to_owned()) }
}

#[test]
fn a_check_across_fields_refuses_and_a_check_that_panics_refuses_too() {
    let (config, handle) = by_hand::<Limits>("low = 1\nhigh = 2");
    handle.set("low = 3\nhigh = 2");
    let error = config.blocking_reload().expect_err("the check refuses");
    assert!(error.to_string().contains("`low` must not be above `high`"), "{error}");
    handle.set("low = 901\nhigh = 902");
    let error = config.blocking_reload().expect_err("the check panics");
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!((config.load().low, config.version()), (1, 1));
    handle.set("low = 2\nhigh = 2");
    assert_eq!(config.blocking_reload().expect("good again"), 2);
}
