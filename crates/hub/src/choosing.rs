//! Profiles that people choose: kept first, then in force, then told.

use omni_profiles::ProfileName;
use omni_store::{Store, StoreError};
use omni_types::Principal;

use crate::Hub;
use crate::approvals::unix_now;
use crate::choices::{Choice, key};
use crate::scope::Scope;

impl Hub {
    /// From now on choices are kept in `store`.
    pub fn keep_choices(&self, store: Store) {
        let _the_first_counts = self.choices().store.set(store);
    }

    /// Puts in force what is kept.
    ///
    /// # Errors
    /// When it cannot be read: what was in force stays.
    pub async fn load_choices(&self) -> Result<(), StoreError> {
        let choices = self.choices();
        let Some(store) = choices.store.get().filter(|store| store.exists()) else { return Ok(()) };
        let _turn = choices.turn.lock().await;
        let rows = store.profile_choices(choices.max + 1).await.inspect_err(|_| choices.not_read())?;
        if choices.take(rows) {
            self.forget_views();
            self.tell_lists_changed(|scope, _| *scope == Scope::All);
        }
        Ok(())
    }

    /// From now on `profile` applies to `principal` at `/mcp`, or none.
    ///
    /// # Errors
    /// When that cannot be kept: nothing changed then.
    pub(crate) async fn choose_profile(
        &self,
        principal: &Principal,
        profile: Option<&ProfileName>,
    ) -> Result<(), StoreError> {
        let (choices, who) = (self.choices(), key(principal));
        let _turn = choices.turn.lock().await;
        let chosen = profile.cloned().map_or(Choice::None, Choice::Profile);
        if choices.of(principal) == chosen {
            return Ok(());
        }
        if let Some(store) = choices.store.get() {
            store.choose_profile(who, profile.map(ProfileName::as_str), unix_now()).await?;
        }
        choices.put(who, profile);
        self.forget_views();
        self.tell_lists_changed(|scope, one| *scope == Scope::All && one == principal);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use omni_auth::Policy;
    use omni_auth::settings::PolicySettings;
    use omni_profiles::{Library, ProfileName, Source};
    use omni_store::Store;
    use omni_types::Principal;

    use crate::Hub;
    use crate::limits::Limits;
    use crate::scope::Scope;
    use crate::shown::Shown;

    fn hub(store: Store) -> Arc<Hub> {
        let policy = Policy::build(&PolicySettings::default()).unwrap();
        let hub = Hub::new(Principal::local("ann"), policy, Limits::default()).unwrap();
        let source =
            Source { name: ProfileName::parse("p").unwrap(), file: "p.md".into(), text: "P".to_owned(), rank: 0 };
        hub.put_profiles(Some(Arc::new(Library::build(vec![source], Vec::new(), &indexmap::IndexMap::new()))));
        hub.keep_choices(store);
        hub
    }

    /// CFG-8: a choice is its chooser's alone, and outlasts the hub.
    #[tokio::test]
    async fn cfg_8_a_choice_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (ann, bob) = (Principal::local("ann"), Principal::local("bob"));
        let name = ProfileName::parse("p").unwrap();
        let first = hub(Store::at(folder.path()));
        first.load_choices().await.unwrap();
        assert!(!Store::at(folder.path()).exists(), "nothing is made before something is kept");
        first.choose_profile(&ann, Some(&name)).await.unwrap();
        assert!(matches!(first.shown(&Scope::All, &ann), Shown::Profile(_)));
        let second = hub(Store::at(folder.path()));
        assert!(second.shown(&Scope::All, &ann).is_everything());
        second.load_choices().await.unwrap();
        assert!(matches!(second.shown(&Scope::All, &ann), Shown::Profile(profile) if profile.text == "P"));
        assert!(second.shown(&Scope::All, &bob).is_everything());
        // A profile that is gone shows nothing rather than everything.
        second.put_profiles(Some(Arc::default()));
        assert!(matches!(second.shown(&Scope::All, &ann), Shown::Gone(_)));
        second.choose_profile(&ann, None).await.unwrap();
        first.load_choices().await.unwrap();
        assert!(first.shown(&Scope::All, &ann).is_everything() && second.shown(&Scope::All, &ann).is_everything());
    }

    /// CFG-8: who cannot be asked what they chose is not shown everything.
    #[tokio::test]
    async fn cfg_8_choices_that_cannot_be_read_open_nothing() {
        let ann = Principal::local("ann");
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        std::fs::write(store.path(), b"this is no database, though it is long enough to be taken for one").unwrap();
        let late = hub(store.clone());
        assert!(late.load_choices().await.is_err());
        assert!(!late.shown(&Scope::All, &ann).shows_server("a"));
        // The damaged file is put away, and another hub keeps a choice in a new one.
        std::fs::remove_file(store.path()).unwrap();
        hub(store).choose_profile(&ann, Some(&ProfileName::parse("p").unwrap())).await.unwrap();
        late.load_choices().await.unwrap();
        assert!(matches!(late.shown(&Scope::All, &ann), Shown::Profile(_)));
    }
}
