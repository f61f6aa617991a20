//! Status: health, phase and the rest of `hotsave/status`, computed from a domain and from nothing else.
//!
//! Health is decided here only (editors specification, section 1): clients tint if and only if it is `error`.

use hotsave_protocol::{Health, Phase, TrustState};

use super::{config::HostChoice, domain::Domain, output::Status, trust::Decision, units::Units};

/// What was last said, so that the same is not said twice.
#[derive(Debug, Default)]
pub(super) struct Shown(Option<Status>);

impl Shown {
    /// Whether `status` differs from what was said, which it then replaces. A new generation alone is no difference.
    pub(super) fn replace(&mut self, status: &Status) -> bool {
        let differs = match &self.0 {
            Some(shown) => {
                Status {
                    generation: status.generation,
                    ..shown.clone()
                } != *status
            }
            None => true,
        };
        if differs {
            self.0 = Some(status.clone());
        }
        differs
    }
}

/// The status of `domain` now.
pub(super) fn of(domain: &Domain) -> Status {
    let failing = domain.refusals.failing(domain.root());
    let is_paused = domain.settler.is_paused();
    let host_lost = domain.host.lost_message();
    let phase = if domain.units.is_none() {
        Phase::Starting
    } else if domain.operation.is_some() {
        Phase::Reloading
    } else {
        Phase::Idle
    };
    let health = if !failing.is_empty() || host_lost.is_some() {
        Health::Error
    } else if domain.config_is_invalid
        || domain.watch_warning.is_some()
        || domain.needs_restart.is_some()
        || domain.trust_was_missed
    {
        Health::Warning
    } else {
        Health::Ok
    };
    let message = if let Some(first) = failing.first() {
        let name = first.strip_prefix(domain.root()).unwrap_or(first).display();
        Some(format!(
            "{name} was refused; {}",
            if domain.units.as_ref().is_some_and(Units::runs_anything) {
                format!("{} keeps running", domain.last_good)
            } else {
                "nothing runs yet".to_owned()
            }
        ))
    } else if let Some(message) = host_lost {
        Some(message.to_owned())
    } else if domain.config_is_invalid {
        Some("hotsave.toml is invalid; the last valid one is in force".to_owned())
    } else if let Some(reason) = &domain.needs_restart {
        Some(format!("restart needed: {reason}"))
    } else if let Some(warning) = &domain.watch_warning {
        Some(warning.clone())
    } else if domain.trust_was_missed {
        Some("not trusted to run programs; `hotsave trust` allows it".to_owned())
    } else if is_paused {
        Some("paused".to_owned())
    } else {
        domain.no_host_reason()
    };
    let runs_something = domain.config.lua.host != HostChoice::None;
    let trust = match &domain.trust {
        Decision::Granted => Some(TrustState::Granted),
        _ if runs_something => Some(TrustState::Needed),
        _ => None,
    };
    let n_held_back = domain
        .refusals
        .files()
        .filter(|(path, _)| failing.binary_search_by(|it| (**it).cmp(path)).is_err())
        .count();
    Status {
        workspace: domain.workspace().clone(),
        generation: domain.generation,
        health,
        phase,
        last_good: domain.last_good,
        pending: u64::try_from(domain.settler.pending() + n_held_back).unwrap_or(u64::MAX),
        hosts: domain.hosts(),
        failing,
        message,
        paused: is_paused,
        trust,
    }
}
