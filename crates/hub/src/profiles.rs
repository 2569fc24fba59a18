//! The profiles in force: what they show of the servers, laid under policy, which is asked all the same.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use omni_audit::{Event, EventKind, FieldName, Outcome, Who};
use omni_auth::{Access, Decision, Denial, Policy, ThingKind};
use omni_profiles::{Library, Profile, ProfileName, Thing};
use omni_protocol::ListKind;
use omni_types::Principal;

use crate::Hub;
use crate::scope::Scope;

/// What the hub keeps of profiles.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    library: ArcSwapOption<Library>,
}

/// What of the servers an endpoint shows somebody, whatever policy says.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// All of it.
    Everything,
    /// What this profile shows.
    Profile(Arc<Profile>),
    /// A profile that is not there any more, which shows nothing.
    Gone(ProfileName),
}

/// The decision about `about`: a profile can only take away from what policy allows.
pub(crate) fn decide(policy: &Policy, shown: &Shown, about: &Access<'_>) -> Decision {
    match shown.denial(about) {
        Some(denial) => Decision::Deny(Arc::new(denial)),
        None => policy.decide(about),
    }
}

impl Shown {
    pub(crate) const fn is_everything(&self) -> bool {
        matches!(self, Self::Everything)
    }

    /// Whether anything of `server` may be shown.
    pub(crate) fn shows_server(&self, server: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Profile(profile) => profile.offer.shows_server(server),
            Self::Gone(_) => false,
        }
    }

    fn denial(&self, about: &Access<'_>) -> Option<Denial> {
        let (name, shows) = match self {
            Self::Everything => return None,
            Self::Gone(name) => (name, false),
            Self::Profile(profile) => {
                let thing = match about.thing {
                    ThingKind::Prompt => Thing::Prompt,
                    ThingKind::Resource => Thing::Resource,
                    _ => Thing::Tool { read_only: about.hints.read_only },
                };
                (&profile.name, profile.offer.shows(thing, about.server, about.name))
            }
        };
        (!shows).then(|| Denial {
            policy: Some(format!("profile {name}").into()),
            reason: format!("profile `{name}` does not show {}:{}", about.server, about.name),
            needed: "use another profile, or have this one changed".to_owned(),
        })
    }
}

impl Hub {
    /// The profiles in force, where there are any.
    #[must_use]
    pub fn profiles(&self) -> Option<Arc<Library>> {
        self.profiles_kept().library.load_full()
    }

    /// Puts `library` into force; every client that it concerns hears that its lists may have changed, and each profile that
    /// is new or another one is written down with its digest (row CFG-7).
    pub fn put_profiles(&self, library: Option<Arc<Library>>) {
        let old = self.profiles_kept().library.swap(library.clone());
        if old == library {
            return;
        }
        let old = old.unwrap_or_default();
        for profile in library.iter().flat_map(|library| library.profiles()) {
            if old.find(profile.name.as_str()).is_none_or(|before| before.sha256 != profile.sha256) {
                self.note_profile("profiles/load", Who::System, profile);
            }
        }
        self.forget_views();
        self.tell_lists_changed(|scope, _| !matches!(scope, Scope::One(_)));
    }

    /// Writes down that something was done with `profile`.
    pub(crate) fn note_profile(&self, action: &'static str, who: Who, profile: &Profile) {
        let event = Event::new(EventKind::Profile, action, Outcome::Success)
            .fact(FieldName::Profile, profile.name.as_str())
            .fact(FieldName::ProfileSha256, profile.sha256);
        self.audit().record(who, event);
    }

    /// Tells clients whose endpoint and principal are `meant` that their lists may be others now.
    pub(crate) fn tell_lists_changed(&self, meant: impl Fn(&Scope, &Principal) -> bool) {
        for session in self.sessions().all().iter().filter(|session| meant(&session.scope, &session.principal)) {
            for kind in [ListKind::Tools, ListKind::Prompts, ListKind::Resources] {
                session.outbox.changed(kind);
            }
        }
        let listenings = self.listenings().all();
        for listening in listenings.iter().filter(|one| meant(&one.reader.scope, &one.reader.principal)) {
            listening.everything_changed();
        }
    }

    /// The endpoint of the profile called `name`, where there is one.
    #[must_use]
    pub fn profile_scope(&self, name: &str) -> Option<Scope> {
        self.profiles()?.find(name).map(|profile| Scope::Profile(profile.name.clone()))
    }

    /// What `scope` shows, whatever policy says.
    pub(crate) fn shown(&self, scope: &Scope) -> Shown {
        let Scope::Profile(name) = scope else { return Shown::Everything };
        match self.profiles().and_then(|library| library.find(name.as_str()).cloned()) {
            Some(profile) => Shown::Profile(profile),
            None => Shown::Gone(name.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
