//! Where the clients keep their MCP settings, for each kind of system.

use std::path::{Path, PathBuf};

use crate::config::{Os, Surroundings};

/// Claude Code, a project's servers: `.mcp.json`.
pub(crate) fn claude_project(around: &Surroundings) -> PathBuf {
    around.cwd.join(".mcp.json")
}

/// Claude Code, the user's: `~/.claude.json`, or in the directory that `$CLAUDE_CONFIG_DIR` names.
pub(crate) fn claude_user(around: &Surroundings) -> Option<PathBuf> {
    let folder = around.variable("CLAUDE_CONFIG_DIR").map(Path::new).filter(|path| path.is_absolute());
    Some(folder.or(around.home.as_deref())?.join(".claude.json"))
}

/// Claude Desktop.
pub(crate) fn claude_desktop(around: &Surroundings) -> Option<PathBuf> {
    Some(around.config_home()?.join("Claude").join("claude_desktop_config.json"))
}

/// Cursor, a project's.
pub(crate) fn cursor_project(around: &Surroundings) -> PathBuf {
    around.cwd.join(".cursor").join("mcp.json")
}

/// Cursor, the user's.
pub(crate) fn cursor_user(around: &Surroundings) -> Option<PathBuf> {
    Some(around.home.as_ref()?.join(".cursor").join("mcp.json"))
}

/// VS Code, a folder's.
pub(crate) fn vscode_project(around: &Surroundings) -> PathBuf {
    around.cwd.join(".vscode").join("mcp.json")
}

/// VS Code, the user's (of the default profile).
pub(crate) fn vscode_user(around: &Surroundings) -> Option<PathBuf> {
    Some(around.config_home()?.join("Code").join("User").join("mcp.json"))
}

/// Windsurf.
pub(crate) fn windsurf(around: &Surroundings) -> Option<PathBuf> {
    Some(around.home.as_ref()?.join(".codeium").join("windsurf").join("mcp_config.json"))
}

/// The hub we inherit: its configuration and the older one, both only looked for in the current directory.
pub(crate) fn inherited(around: &Surroundings) -> [PathBuf; 2] {
    [around.cwd.join("omni-config.yaml"), around.cwd.join(".mcp-config.json")]
}

/// A path as a person writes it: `~/…` in the home, relative in the current directory.
pub(crate) fn shown(path: &Path, around: &Surroundings) -> String {
    if let Ok(rest) = path.strip_prefix(&around.cwd) {
        return rest.display().to_string();
    }
    match around.home.as_ref().and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) if around.os != Os::Windows => format!("~/{}", rest.display()),
        _ => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_system() {
        let mut around = Surroundings::of_test(Path::new("/home/ada"), Path::new("/home/ada/work"));
        assert_eq!(claude_desktop(&around), Some("/home/ada/.config/Claude/claude_desktop_config.json".into()));
        assert_eq!(vscode_user(&around), Some("/home/ada/.config/Code/User/mcp.json".into()));
        around.os = Os::Mac;
        assert_eq!(
            claude_desktop(&around),
            Some("/home/ada/Library/Application Support/Claude/claude_desktop_config.json".into())
        );
        let around = around.with("CLAUDE_CONFIG_DIR", "/cc");
        assert_eq!(claude_user(&around), Some("/cc/.claude.json".into()));
        assert_eq!(shown(Path::new("/home/ada/work/.mcp.json"), &around), ".mcp.json");
        assert_eq!(shown(Path::new("/home/ada/.cursor/mcp.json"), &around), "~/.cursor/mcp.json");
    }
}
