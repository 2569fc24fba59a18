//! The profiles in force: put there, written down, told to whom they concern.

use std::sync::Arc;

use omni_audit::{Event, EventKind, FieldName, Outcome, Who};
use omni_profiles::{Library, Profile};
use omni_protocol::ListKind;
use omni_types::Principal;

use crate::Hub;
use crate::choices::Choice;
use crate::scope::Scope;
use crate::shown::Shown;

impl Hub {
    /// The profiles in force, where there are any.
    #[must_use]
    pub fn profiles(&self) -> Option<Arc<Library>> {
        self.library().load_full()
    }

    /// Puts `library` into force; every client that it concerns hears that its lists may have changed, and each profile that
    /// is new or another one is written down with its digest (row CFG-7).
    pub fn put_profiles(&self, library: Option<Arc<Library>>) {
        let old = self.library().swap(library.clone());
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

    /// Writes down that somebody wants none any more.
    pub(crate) fn note_no_profile(&self, who: Who) {
        self.audit()
            .record(who, Event::new(EventKind::Profile, "profiles/apply", Outcome::Success).because("none any more"));
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

    /// Whether there may be profiles.
    pub(crate) fn has_profiles(&self) -> bool {
        self.library().load().is_some()
    }

    /// What `scope` shows `principal`, whatever policy says: at `/mcp` what the profile shows that they chose.
    pub(crate) fn shown(&self, scope: &Scope, principal: &Principal) -> Shown {
        match scope {
            Scope::All if self.has_profiles() => match self.choices().of(principal) {
                Choice::Profile(name) => self.shown_at(&Scope::Profile(name)),
                Choice::None => Shown::Everything,
                Choice::Unknown => Shown::Unknown,
            },
            scope => self.shown_at(scope),
        }
    }

    /// Whether what `scope` shows depends neither on who asks nor on what they chose, so that one's list may serve another.
    pub(crate) fn shows_all_alike(&self, scope: &Scope, principal: &Principal) -> bool {
        self.snapshot().policy().is_free(principal) && !(*scope == Scope::All && self.has_profiles())
    }

    /// What `scope` shows, whoever asks.
    pub(crate) fn shown_at(&self, scope: &Scope) -> Shown {
        let Scope::Profile(name) = scope else { return Shown::Everything };
        match self.profiles().and_then(|library| library.find(name.as_str()).cloned()) {
            Some(profile) => Shown::Profile(profile),
            None => Shown::Gone(name.clone()),
        }
    }
}
