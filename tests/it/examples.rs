//! The examples do what their pages say.

use std::{fs, path::Path};

use hotsave_tests::{client::Client, fixture::Project};

/// A copy of an example to edit.
fn copy(example: &str) -> Project {
    let project = Project::empty();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("examples")
        .join(example);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        project.write(
            path.file_name().unwrap().to_str().unwrap(),
            &fs::read_to_string(&path).unwrap(),
        );
    }
    project
}

/// The table in `examples/counter/README.md`, row by row.
#[test]
fn the_shop_remembers_its_customers() {
    let project = copy("counter");
    let mut client = Client::open(&project);
    assert_eq!(client.reload().tag(), "applied");
    client.log("the shop is open");

    let shop = project.read("shop.lua").unwrap();
    let day = shop.replace("good morning", "good day");
    assert_eq!(client.save("shop.lua", &day).tag(), "applied");
    client.log("good day, customer 1: one tea, 3.00");
    let evening = shop.replace("good morning", "good evening");
    assert_eq!(client.save("shop.lua", &evening).tag(), "applied");
    client.log("good evening, customer 2: one scone, 4.00");
    client.log("takings so far: 7.00");

    let tax = project.read("tax.lua").unwrap();
    assert_eq!(
        client.save("tax.lua", &tax.replace("0.25", "0.5")).tag(),
        "applied"
    );
    client.log("new prices: tea 3.60, scone 4.80");

    let broken = evening.replacen("\nend\n", "\n", 1);
    assert_eq!(client.save("shop.lua", &broken).tag(), "rejected");
    assert_eq!(client.problems("shop.lua").len(), 1);

    let menu = project.read("menu.lua").unwrap();
    let endless = menu.replace("\nreturn M", "\nwhile true do end\nreturn M");
    assert_eq!(client.save("menu.lua", &endless).tag(), "rolledBack");
    assert_eq!(client.problems("menu.lua").len(), 1);

    assert_eq!(
        client.save("menu.lua", &menu).tag(),
        "unchanged",
        "the running text is back"
    );
    let night = shop.replace("good morning", "good night");
    assert_eq!(client.save("shop.lua", &night).tag(), "applied");
    assert_eq!(client.problem_files(), [""; 0]);
    client.log("good night, customer 3: one tea, 3.60");
    client.finish();
}
