//! The hub's environment.

use std::collections::HashMap;

use crate::fault::Fault;
use crate::held::Held;

/// Variables as they were when the hub started.
pub(crate) struct Environment {
    variables: HashMap<String, String>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Environment")
    }
}

impl Environment {
    pub(crate) const fn new(variables: HashMap<String, String>) -> Self {
        Self { variables }
    }

    /// The variable of this name, or of the name that stands for it: `db/password` is `DB_PASSWORD`.
    pub(crate) fn value(&self, path: &str) -> Result<Held, Fault> {
        let name = variable_name(path);
        let found = self.variables.get(path).or_else(|| self.variables.get(&name));
        match found.filter(|value| !value.is_empty()) {
            Some(value) => Ok(Held::new(value.clone())),
            None => Err(Fault::Missing(format!("the variable {name} is not set"))),
        }
    }
}

/// The name of the variable that stands for `path`.
pub(crate) fn variable_name(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if path.chars().all(plain) {
        return path.to_owned();
    }
    let mapped: String = path.chars().map(|c| if plain(c) { c.to_ascii_uppercase() } else { '_' }).collect();
    mapped.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Environment;
    use crate::fault::Fault;

    #[test]
    fn sec_3_names_that_are_none_of_variables_stand_for_one() {
        let variables = [("DB_PASSWORD", "p"), ("token", "t"), ("EMPTY", "")];
        let environment = Environment::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        for (path, value) in [("DB_PASSWORD", "p"), ("db/password", "p"), ("/db-password/", "p"), ("token", "t")] {
            assert_eq!(environment.value(path).unwrap().expose(), value, "{path}");
        }
        for path in ["EMPTY", "db_password", "NONE"] {
            assert!(matches!(environment.value(path), Err(Fault::Missing(_))), "{path}");
        }
    }
}
