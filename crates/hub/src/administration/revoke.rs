//! Revocations of tokens that others gave out: one by its `jti`, or all of a subject's.

use omni_auth::Revocation;
use omni_store::{Page, RevocationRow};
use omni_types::Principal;

use crate::administration::error::AdminError;
use crate::administration::handle::{Administration, fresh_id};
use crate::approvals::unix_now;

/// Characters of an issuer, a `jti`, a subject, a reason.
const TEXT_CHARS_MAX: usize = 512;

/// What is to be refused from now on.
#[derive(Debug, Clone, Default)]
pub struct RevokeRequest {
    /// One token, by its `jti`.
    pub jti: Option<String>,
    /// All tokens of a subject that were issued up to now.
    pub subject: Option<String>,
    /// Whose tokens; may be left out where the hub takes tokens of one issuer only.
    pub issuer: Option<String>,
    /// Why.
    pub reason: String,
    /// Seconds after which the token has expired anyway; for ever without.
    pub for_s: Option<i64>,
}

impl Administration {
    /// Revokes a token or a subject's tokens: effective at once.
    ///
    /// # Errors
    /// When the request makes no sense, or it cannot be kept: then it is in force all the same until the hub is stopped.
    pub async fn revoke(&self, request: RevokeRequest, by: &str) -> Result<RevocationRow, AdminError> {
        let (kind, value) = match (request.jti, request.subject) {
            (Some(jti), None) => ("jti", jti),
            (None, Some(subject)) => ("subject", subject),
            _ => return Err(AdminError::Invalid("name either `jti` or `subject`".to_owned())),
        };
        let issuer = match request.issuer {
            Some(issuer) => issuer,
            None => self.only_issuer()?,
        };
        for (what, text) in [(kind, &value), ("issuer", &issuer)] {
            let length = text.chars().count();
            if length == 0 || length > TEXT_CHARS_MAX || text.chars().any(char::is_control) {
                return Err(AdminError::Invalid(format!(
                    "`{what}` has 1 to {TEXT_CHARS_MAX} characters, none of them a control character"
                )));
            }
        }
        if request.reason.chars().count() > TEXT_CHARS_MAX {
            return Err(AdminError::Invalid(format!("`reason` has at most {TEXT_CHARS_MAX} characters")));
        }
        let now = unix_now();
        let until_at = match request.for_s {
            Some(seconds) if seconds < 1 => return Err(AdminError::Invalid("`for_s` is 1 or more".to_owned())),
            Some(seconds) => Some(now.saturating_add(seconds)),
            None => None,
        };
        let row = RevocationRow {
            id: fresh_id()?,
            kind: kind.to_owned(),
            issuer,
            value,
            reason: request.reason,
            revoked_at: now,
            revoked_by: by.to_owned(),
            until_at,
        };
        let _turn = self.turn.lock().await;
        // In force first: a token that is to be refused is refused also where nothing can be kept.
        self.refuse(meaning(&row));
        self.end_sessions(|principal| concerns(&row, principal));
        self.store()?.add_revocation(&row).await?;
        self.load_revocations().await?;
        Ok(row)
    }

    /// Takes a revocation back.
    ///
    /// # Errors
    /// When there is none of that id, or it cannot be kept.
    pub async fn unrevoke(&self, id: &str) -> Result<(), AdminError> {
        let _turn = self.turn.lock().await;
        let store = self.store()?;
        if !store.exists() || !store.remove_revocation(id).await? {
            return Err(AdminError::NotFound(format!("there is no revocation `{id}`")));
        }
        self.load_revocations().await
    }

    /// One page of the revocations, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn revocations(&self, page: &Page) -> Result<Vec<RevocationRow>, AdminError> {
        match &self.store {
            Some(store) if store.exists() => Ok(store.revocations(page).await?),
            _ => Ok(Vec::new()),
        }
    }

    fn only_issuer(&self) -> Result<String, AdminError> {
        match self.hub.authenticator().issuers() {
            [only] => Ok(only.clone()),
            [] => Err(AdminError::Invalid("name the `issuer`: this hub takes tokens of none at the moment".to_owned())),
            several => Err(AdminError::Invalid(format!("name the `issuer`, one of {}", several.join(", ")))),
        }
    }

    /// Whether it is in force.
    pub(super) fn refuse(&self, revocation: Revocation) -> bool {
        let added = self.revocations.add(revocation);
        if let Err(error) = &added {
            // Refusing all is better than letting in one who is to be refused.
            tracing::error!(%error, "logins are refused");
            self.revocations.lost();
        }
        added.is_ok()
    }

    pub(super) fn end_sessions(&self, whose: impl Fn(&Principal) -> bool) {
        for session in self.hub.sessions().all() {
            if whose(&session.principal) {
                self.hub.end_session(session.id());
            }
        }
    }
}

/// Whether a session of `principal` may stand on a token that `row` means. Of one token's session only the subject is
/// known, so its messages are refused one by one instead.
fn concerns(row: &RevocationRow, principal: &Principal) -> bool {
    row.kind == "subject" && principal.issuer() == Some(row.issuer.as_str()) && principal.id() == row.value
}

pub(super) fn meaning(row: &RevocationRow) -> Revocation {
    let (issuer, value) = (Some(row.issuer.clone()), row.value.clone());
    match row.kind.as_str() {
        "jti" => Revocation::Token { issuer, id: value },
        _ => {
            let issued_until = u64::try_from(row.revoked_at).unwrap_or(0);
            Revocation::Subject { issuer, subject: value, issued_until }
        }
    }
}
