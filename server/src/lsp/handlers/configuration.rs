//! Client settings: asked for where the client can be asked, else taken from `didChangeConfiguration`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    lsp::{logging, outbound::Outbound, session::Session, settings},
    workspace::{event::EditorMessage, settings::Settings},
};

/// The settings in a section; what is odd about it is logged once per connection.
pub(in crate::lsp) fn read(session: &Session, section: &Value) -> Settings {
    let (settings, remarks) = settings::read(section);
    for remark in remarks {
        if session.is_new(&remark) {
            tracing::warn!("{remark}");
        }
    }
    logging::configure(&settings.log);
    session.set_notify(settings.notify);
    settings
}

/// Asks for the section `hotsave`; the answer goes to the loop.
pub(in crate::lsp) fn ask(session: &Arc<Session>, outbound: &Outbound) {
    let told = Arc::clone(session);
    outbound.ask(
        "workspace/configuration",
        json!({ "items": [{ "section": "hotsave" }] }),
        move |answer| {
            // Without an answer, and without a section, the settings of `initialize` stay.
            let Some(section) = answer
                .as_ref()
                .and_then(|it| it.get(0))
                .filter(|it| it.is_object())
            else {
                return;
            };
            tell(&told, section);
        },
    );
}

/// `didChangeConfiguration`: mostly a sign to ask again.
pub(in crate::lsp) fn changed(session: &Arc<Session>, outbound: &Outbound, sent: &Value) {
    if session.client().configuration {
        return ask(session, outbound);
    }
    tell(session, sent.get("hotsave").unwrap_or(sent));
}

fn tell(session: &Session, section: &Value) {
    let settings = read(session, section);
    session.tell(
        session.next_arrival(),
        EditorMessage::Settings(Box::new(settings)),
    );
}
