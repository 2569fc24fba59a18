//! The policy of a configuration: its files read, everything that is wrong with it found.

use omni_auth::{Policy, PolicyFault, PolicyPlace, settings::PolicySource};

use crate::config::check::Complaint;
use crate::config::error::{Place, Problem};
use crate::config::file::read_file;
use crate::config::settings::Settings;

/// Files of policies.
const FILES_MAX: usize = 256;

/// Reads the files that `settings` names, whose paths are absolute.
pub(crate) fn read_sources(settings: &mut Settings) -> Vec<Complaint> {
    let mut found = Vec::new();
    let complain = |at: usize, message: String| Complaint {
        path: vec!["policy".to_owned(), "files".to_owned(), at.to_string()],
        key: false,
        message,
    };
    let files = &settings.policy.files;
    if files.len() > FILES_MAX {
        found.push(complain(FILES_MAX, format!("more than {FILES_MAX} files")));
        return found;
    }
    let mut sources = Vec::new();
    for (at, path) in files.iter().enumerate() {
        match read_file(path) {
            Ok(text) => sources.push(PolicySource { path: path.clone(), text }),
            Err(problem) => found.push(complain(at, format!("{} {}", path.display(), problem.message))),
        }
    }
    settings.policy.sources = sources;
    found
}

/// What is wrong with the policy: complaints about keys of the configuration, and problems of the files.
pub(crate) fn faults(settings: &Settings) -> (Vec<Complaint>, Vec<Problem>) {
    let (mut complaints, mut problems) = (Vec::new(), Vec::new());
    for fault in Policy::build(&settings.policy).err().unwrap_or_default() {
        let PolicyFault { place, message } = fault;
        match place {
            PolicyPlace::Key(path) => complaints.push(Complaint { path, key: false, message }),
            PolicyPlace::File { path, at: None } => problems.push(Problem::in_file(&path, None, message)),
            PolicyPlace::File { path, at: Some(spot) } => {
                let place = Place { line: spot.line, column: spot.column, width: spot.length, offset: 0, bytes: 0 };
                problems.push(Problem::in_file(&path, Some((place, spot.text)), message));
            }
        }
    }
    (complaints, problems)
}
