//! What a statement may do to a SQLite database, asked by SQLite itself while it compiles the statement.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::database::rows::Access;

/// Pragmas that only tell; those above the line take the name of a table or index.
const TELLING_PRAGMAS: [&str; 9] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "quick_check",
];
/// Pragmas that tell without a value and set with one: without it they are fine.
const TELLING_WITHOUT_VALUE: [&str; 12] = [
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "integrity_check",
    "journal_mode",
    "page_count",
    "page_size",
    "user_version",
];
/// Modules of virtual tables that keep their data in the database itself.
const MODULES: [&str; 4] = ["fts3", "fts4", "fts5", "rtree"];
/// Functions that reach out of the database.
const FUNCTIONS_REFUSED: [&str; 2] = ["load_extension", "fts3_tokenizer"];

/// What the authorizer saw of one statement.
#[derive(Default)]
pub(crate) struct Seen {
    /// Why the statement was refused.
    pub(crate) refusal: Option<String>,
    pub(crate) creates_table: bool,
}

/// The callback for `access`, and the place where it leaves what it saw.
pub(crate) fn authorizer(
    access: Access,
) -> (impl for<'r> FnMut(AuthContext<'r>) -> Authorization + Send + 'static, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let left = Arc::clone(&seen);
    let callback = move |context: AuthContext<'_>| {
        let mut seen = left.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(context.action, AuthAction::CreateTable { .. }) {
            seen.creates_table = true;
        }
        match judge(access, &context.action) {
            Ok(()) => Authorization::Allow,
            Err(reason) => {
                seen.refusal.get_or_insert(reason);
                Authorization::Deny
            }
        }
    };
    (callback, seen)
}

fn judge(access: Access, action: &AuthAction<'_>) -> Result<(), String> {
    use AuthAction as A;
    match *action {
        A::Select | A::Read { .. } | A::Recursive => Ok(()),
        A::Function { function_name } if !FUNCTIONS_REFUSED.contains(&function_name.to_ascii_lowercase().as_str()) => {
            Ok(())
        }
        A::Function { function_name } => Err(format!("the function {function_name} is not allowed")),
        A::Pragma { pragma_name, pragma_value } => {
            let name = pragma_name.to_ascii_lowercase();
            let tells = TELLING_PRAGMAS.contains(&name.as_str())
                || (pragma_value.is_none() && TELLING_WITHOUT_VALUE.contains(&name.as_str()));
            if tells { Ok(()) } else { Err(format!("the pragma {pragma_name} is not allowed here")) }
        }
        A::Attach { .. } | A::Detach { .. } => {
            Err("ATTACH, DETACH and VACUUM are not allowed: this server serves one file".to_owned())
        }
        A::Transaction { .. } | A::Savepoint { .. } => {
            Err("each call is its own transaction; BEGIN, COMMIT, ROLLBACK and SAVEPOINT are not allowed".to_owned())
        }
        _ => match access {
            Access::Read => Err("this tool cannot change the database".to_owned()),
            Access::Write => judge_write(action),
            Access::CreateTable => judge_create(action),
        },
    }
}

fn judge_write(action: &AuthAction<'_>) -> Result<(), String> {
    use AuthAction as A;
    match *action {
        A::Insert { .. }
        | A::Update { .. }
        | A::Delete { .. }
        | A::CreateTable { .. }
        | A::CreateIndex { .. }
        | A::CreateView { .. }
        | A::CreateTrigger { .. }
        | A::DropTable { .. }
        | A::DropIndex { .. }
        | A::DropView { .. }
        | A::DropTrigger { .. }
        | A::AlterTable { .. }
        | A::Reindex { .. }
        | A::Analyze { .. }
        | A::DropVtable { .. } => Ok(()),
        A::CreateVtable { module_name, .. } if MODULES.contains(&module_name.to_ascii_lowercase().as_str()) => Ok(()),
        _ => Err("this statement is not allowed: temporary tables would be gone after the call".to_owned()),
    }
}

/// A new table, with the entries in the schema's own tables that come with it.
fn judge_create(action: &AuthAction<'_>) -> Result<(), String> {
    use AuthAction as A;
    let own = |table: &str| table.to_ascii_lowercase().starts_with("sqlite_");
    match *action {
        A::CreateTable { .. } => Ok(()),
        A::CreateIndex { index_name, .. } if own(index_name) => Ok(()),
        A::Reindex { index_name } if own(index_name) => Ok(()),
        A::Insert { table_name } | A::Update { table_name, .. } | A::Delete { table_name } if own(table_name) => Ok(()),
        _ => Err("this tool runs only CREATE TABLE".to_owned()),
    }
}
