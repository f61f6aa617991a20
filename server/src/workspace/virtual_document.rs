//! Documents that belong to no project: `untitled:` buffers, and files outside every folder.
//!
//! They are checked for syntax and never run (editors specification, 2.7).

use std::{path::Path, sync::Arc};

use hotsave_engine::{generation::Generation, problem::Problem};
use hotsave_lua::syntax::Dialect;

use super::{
    domain::Surroundings,
    output::{FileProblems, Output},
};

/// Checks a document as the newest Lua and says what is wrong with it.
pub(super) fn check(path: &Arc<Path>, around: &Surroundings) {
    let Some(document) = around.documents.get(path) else {
        return;
    };
    if &*document.language == "lua" {
        let problems = super::units::syntax_problems(path, &document.text, Dialect::Lua54);
        publish(path, Some(document.version), problems, around);
    }
}

/// Takes back what was said of a document that is closed.
pub(super) fn clear(path: &Arc<Path>, around: &Surroundings) {
    publish(path, None, Vec::new(), around);
}

fn publish(path: &Arc<Path>, version: Option<i32>, problems: Vec<Problem>, around: &Surroundings) {
    around.say(Output::Problems(FileProblems {
        workspace: Arc::from(""),
        generation: Generation::default(),
        path: Arc::clone(path),
        version,
        problems,
    }));
}
