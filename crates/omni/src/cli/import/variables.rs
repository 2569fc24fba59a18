//! A client's references to variables turned into ours.

use std::path::Path;

use crate::config::Surroundings;

/// Whose syntax a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// Claude Code: `${VAR}`, `${VAR:-default}`.
    Claude,
    /// Cursor, VS Code, Windsurf: `${env:VAR}`, `${input:id}`, `${workspaceFolder}`, `${userHome}`.
    Editor,
    /// The hub we inherit: `${PROVIDER:path}`, and `${VAR}` in its examples.
    Inherited,
}

/// Where a text stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) syntax: Syntax,
    /// The project's directory.
    pub(crate) base: Option<&'a Path>,
    pub(crate) around: &'a Surroundings,
}

/// A text in our syntax.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Translated {
    pub(crate) text: String,
    /// Variables without a default that are not set now.
    pub(crate) unset: Vec<String>,
    pub(crate) notes: Vec<String>,
}

/// Translates every reference; what is none is kept as the characters it is.
pub(crate) fn translate(text: &str, scene: Scene<'_>) -> Translated {
    let mut out = Translated::default();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        out.text.push_str(&rest[..start]);
        let after = &rest[start + 2..];
        let Some(end) = after.find('}') else {
            out.text.push_str("$${");
            rest = after;
            continue;
        };
        reference(&after[..end], scene, &mut out);
        rest = &after[end + 1..];
    }
    out.text.push_str(rest);
    out
}

fn reference(inner: &str, scene: Scene<'_>, out: &mut Translated) {
    match scene.syntax {
        Syntax::Claude => match inner.split_once(":-") {
            Some((name, default)) if is_name(name) => out.text.push_str(&format!("${{ENV:{name}:-{default}}}")),
            None if is_name(inner) => variable(inner, scene, out),
            _ => literal(inner, out),
        },
        Syntax::Editor => editor(inner, scene, out),
        Syntax::Inherited => match inner.split_once(':') {
            None if is_name(inner) => variable(inner, scene, out),
            Some((provider, path)) if is_name(provider) && !path.is_empty() => {
                let name = environment_name(path);
                if !provider.eq_ignore_ascii_case("env") {
                    out.notes.push(format!("`{provider}` is no source of values yet: set the variable {name} instead"));
                }
                variable(&name, scene, out);
            }
            _ => literal(inner, out),
        },
    }
}

fn editor(inner: &str, scene: Scene<'_>, out: &mut Translated) {
    let folder = |path: Option<&Path>| path.map(|path| path.to_string_lossy().into_owned());
    let replaced = match inner {
        "workspaceFolder" | "workspaceRoot" => folder(scene.base),
        "workspaceFolderBasename" => folder(scene.base.and_then(Path::file_name).map(Path::new)),
        "userHome" => folder(scene.around.home.as_deref()),
        "pathSeparator" | "/" => Some(std::path::MAIN_SEPARATOR.to_string()),
        _ => None,
    };
    match (replaced, inner.split_once(':')) {
        (Some(text), _) => out.text.push_str(&text.replace("${", "$${")),
        (None, Some(("env", name))) if is_name(name) => variable(name, scene, out),
        (None, Some(("input", id))) if !id.is_empty() => {
            let name = environment_name(id);
            out.notes.push(format!("the editor asked for `{id}`: set the variable {name} instead"));
            variable(&name, scene, out);
        }
        _ => {
            out.notes.push(format!("`${{{inner}}}` is not known here and was kept as these characters"));
            literal(inner, out);
        }
    }
}

fn variable(name: &str, scene: Scene<'_>, out: &mut Translated) {
    if out.text.ends_with('$') {
        out.notes.push(format!("`$` right before a reference makes it text here: look at `$${{ENV:{name}}}`"));
    }
    out.text.push_str(&format!("${{ENV:{name}}}"));
    if !scene.around.variables.contains_key(name) {
        out.unset.push(name.to_owned());
    }
}

fn literal(inner: &str, out: &mut Translated) {
    out.text.push_str(&format!("$${{{}}}", inner.replace("${", "$${")));
}

/// `db/password` as `DB_PASSWORD`.
fn environment_name(path: &str) -> String {
    let name: String =
        path.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let name = name.trim_matches('_');
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name.to_owned() } else { format!("_{name}") }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_s_references_become_ours() {
        let around = Surroundings::of_test(Path::new("/home/ada"), Path::new("/w")).with("SET", "x");
        for (syntax, text, translated, unset) in [
            (Syntax::Claude, "a ${SET} b", "a ${ENV:SET} b", ""),
            (Syntax::Claude, "${NONE}", "${ENV:NONE}", "NONE"),
            (Syntax::Claude, "${NONE:-http://x}/y", "${ENV:NONE:-http://x}/y", ""),
            (Syntax::Claude, "${not a name} ${open", "$${not a name} $${open", ""),
            (Syntax::Claude, "${${}", "$${$${}", ""),
            (Syntax::Editor, "${env:SET}", "${ENV:SET}", ""),
            (Syntax::Editor, "${input:github-token}", "${ENV:GITHUB_TOKEN}", "GITHUB_TOKEN"),
            (Syntax::Editor, "${workspaceFolder}/a ${userHome}", "/w/a /home/ada", ""),
            (Syntax::Editor, "${command:x}", "$${command:x}", ""),
            (Syntax::Inherited, "${ENV:db/password}", "${ENV:DB_PASSWORD}", "DB_PASSWORD"),
            (Syntax::Inherited, "${VAULT:db/password:field}", "${ENV:DB_PASSWORD_FIELD}", "DB_PASSWORD_FIELD"),
            (Syntax::Inherited, "${SET}", "${ENV:SET}", ""),
            (Syntax::Inherited, "no $5", "no $5", ""),
        ] {
            let out = translate(text, Scene { syntax, base: Some(Path::new("/w")), around: &around });
            assert_eq!((out.text.as_str(), out.unset.join(",").as_str()), (translated, unset), "{text}");
        }
    }
}
