//! Every name of the protocol, with the field it stands in: what golden files and reference are held to.

use hotsave_protocol::*;

/// Every method name.
const METHODS: [&str; 13] = [
    Status::METHOD,
    ReloadStarted::METHOD,
    ReloadFinished::METHOD,
    PreviewRefresh::METHOD,
    PreviewAck::METHOD,
    OpenPreview::METHOD,
    ClosePreview::METHOD,
    BuildStatus::METHOD,
    RunnerStatus::METHOD,
    StateCaptured::METHOD,
    GetState::METHOD,
    RestoreState::METHOD,
    ExplainRequest::METHOD,
];

/// Every word, beside the name of the field whose value it is.
pub(crate) fn words() -> Vec<(&'static str, &'static str)> {
    let mut words: Vec<_> = METHODS.map(|it| ("method", it)).into();
    words.extend(Command::ALL.iter().map(|it| ("command", it.id())));
    // The one word that is left out when it is written.
    words.push(("commands", CommandOwner::Client.word()));
    words.extend(EventGroup::ALL.iter().map(|it| ("events", it.word())));
    words.extend(PreviewSupport::ALL.iter().map(|it| ("preview", it.word())));
    words.extend(Cause::ALL.iter().map(|it| ("cause", it.word())));
    words.extend(ReloadKind::ALL.iter().map(|it| ("kind", it.word())));
    words.extend(Tag::ALL.iter().map(|it| ("tag", it.word())));
    words.extend(Stage::ALL.iter().map(|it| ("stage", it.word())));
    words.extend(Health::ALL.iter().map(|it| ("health", it.word())));
    words.extend(Phase::ALL.iter().map(|it| ("phase", it.word())));
    words.extend(HostKind::ALL.iter().map(|it| ("kind", it.word())));
    words.extend(HostState::ALL.iter().map(|it| ("state", it.word())));
    words.extend(TrustState::ALL.iter().map(|it| ("trust", it.word())));
    words.extend(PreviewMode::ALL.iter().map(|it| ("mode", it.word())));
    words.extend(ChangedKind::ALL.iter().map(|it| ("kind", it.word())));
    words.extend(BuildState::ALL.iter().map(|it| ("state", it.word())));
    words.extend(RunnerState::ALL.iter().map(|it| ("state", it.word())));
    words.extend(StateReason::ALL.iter().map(|it| ("reason", it.word())));
    words.extend(Decision::ALL.iter().map(|it| ("decision", it.word())));
    words.extend(OldKind::ALL.iter().map(|it| ("what", it.word())));
    words.extend(BuildDecision::ALL.iter().map(|it| ("decision", it.word())));
    words
}
