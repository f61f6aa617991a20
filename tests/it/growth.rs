//! The cost of a save follows what it affects, not the size of the project.
//!
//! Compares sizes in one run instead of naming milliseconds, so that it holds on any machine; the figures themselves come from the
//! benchmark.

use hotsave_tests::{
    client::Client,
    project::{Shape, file, generate},
};

/// Median time of saving a leaf in a project of `n_modules` loaded modules, in ms.
fn leaf_save(n_modules: usize) -> f64 {
    let generated = generate(Shape::of(n_modules));
    let project = generated.write();
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    let leaf = file(&generated.leaf);
    let mut times: Vec<f64> = (0..40)
        .map(|round| {
            let reload = client.save(&leaf, &generated.edited(&generated.leaf, round));
            assert_eq!((reload.tag(), reload.units().len()), ("applied", 1));
            reload.finished["durationMs"].as_f64().unwrap()
        })
        .skip(10)
        .collect();
    client.problem_files();
    client.finish();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[test]
fn saving_a_leaf_costs_the_same_in_a_hundred_times_bigger_project() {
    let (small, big) = (leaf_save(10), leaf_save(1000));
    println!("10 modules: {small} ms, 1,000 modules: {big} ms");
    assert!(
        big < 10.0 * small.max(1.0),
        "10 modules: {small} ms, 1,000 modules: {big} ms"
    );
}

#[test]
fn exactly_the_affected_modules_are_reloaded() {
    let generated = generate(Shape::of(200));
    let project = generated.write();
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    let reload = client.save(
        &file(&generated.base),
        &generated.edited(&generated.base, 1),
    );
    let mut units = reload.units();
    assert_eq!(units.first(), Some(&generated.base.as_str()));
    units.sort_unstable();
    let mut expected: Vec<&str> = generated.affected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(units, expected);
    assert_eq!(client.look("live['fan.user_07'].derived"), "6");
    client.problem_files();
    client.finish();
}
