//! What a profile shows of the servers, laid under policy, which is asked all the same.

use std::sync::Arc;

use omni_auth::{Access, Decided, Decision, Denial, Policy, ThingKind, plain_uri};
use omni_profiles::{Profile, ProfileName, Thing};

/// What of the servers an endpoint shows somebody, whatever policy says.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// All of it.
    Everything,
    /// What this profile shows.
    Profile(Arc<Profile>),
    /// A profile that is not there any more, which shows nothing.
    Gone(ProfileName),
    /// Who chose which profile cannot be read, so nothing is shown.
    Unknown,
}

/// The decision about `about`: a profile can only take away from what policy allows.
pub(crate) fn decide(policy: &Policy, shown: &Shown, about: &Access<'_>) -> Decision {
    decide_by(policy, shown, about).decision
}

/// The same, and by which policies it is allowed.
pub(crate) fn decide_by(policy: &Policy, shown: &Shown, about: &Access<'_>) -> Decided {
    match shown.denial(about) {
        Some(denial) => Decided { decision: Decision::Deny(Arc::new(denial)), permits: None },
        None => policy.decide_by(about),
    }
}

impl Shown {
    pub(crate) const fn is_everything(&self) -> bool {
        matches!(self, Self::Everything)
    }

    /// The profile that says so.
    pub(crate) fn profile_name(&self) -> Option<&ProfileName> {
        match self {
            Self::Everything | Self::Unknown => None,
            Self::Profile(profile) => Some(&profile.name),
            Self::Gone(name) => Some(name),
        }
    }

    /// Whether anything of `server` may be shown.
    pub(crate) fn shows_server(&self, server: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Profile(profile) => profile.offer.shows_server(server),
            Self::Gone(_) | Self::Unknown => false,
        }
    }

    fn denial(&self, about: &Access<'_>) -> Option<Denial> {
        let (name, shows) = match self {
            Self::Everything => return None,
            Self::Gone(name) => (name, false),
            Self::Unknown => {
                return Some(Denial {
                    policy: None,
                    reason: "which profile you chose cannot be read, so nothing is shown here".to_owned(),
                    needed: "have the hub's database mended; its log says what is wrong".to_owned(),
                });
            }
            Self::Profile(profile) => {
                let thing = match about.thing {
                    ThingKind::Prompt => Thing::Prompt,
                    ThingKind::Resource => Thing::Resource,
                    _ => Thing::Tool { read_only: about.hints.read_only },
                };
                // As policy does: a URI has many spellings, and a server may take one for another.
                let shows = |name: &str| profile.offer.shows(thing, about.server, name);
                let plainly = about.thing != ThingKind::Resource || shows(&plain_uri(about.name));
                (&profile.name, plainly && shows(about.name))
            }
        };
        (!shows).then(|| Denial {
            policy: Some(format!("profile {name}").into()),
            reason: format!("profile `{name}` does not show {}:{}", about.server, about.name),
            needed: "use another profile, or have this one changed".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
