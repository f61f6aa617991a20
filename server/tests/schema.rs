//! The published JSON schema of `hotsave.toml` is the one the server checks with.

use hotsave::workspace::config;

#[test]
fn the_published_schema_is_the_one_in_use() {
    let schema = serde_json::to_string_pretty(&config::schema()).unwrap() + "\n";
    expect_test::expect_file!["../../docs/hotsave.schema.json"].assert_eq(&schema);
}
