//! The roster that `certctl login` noted in the kubeconfig, for somebody who is not in a clone of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::kubeconfig::file::{self, KubeconfigFiles};
use crate::kubeconfig::merge::KubeconfigText;
use crate::model::LOGIN_PREFIX;

/// The only one; `None` where there are several, for which of them is meant is never a guess.
pub fn find(kubeconfig: Option<&Path>) -> Option<PathBuf> {
    let mut noted = BTreeSet::new();
    for path in KubeconfigFiles::find(kubeconfig).ok()?.read {
        let Ok(Some(text)) = file::read(&path) else { continue };
        let Ok(document) = KubeconfigText::parse(&text) else { continue };
        for name in document.names("users").iter().filter(|name| name.starts_with(LOGIN_PREFIX)) {
            let arguments = document.plugin_arguments(name);
            let named = arguments.windows(2).filter(|pair| pair[0] == "--roster");
            noted.extend(named.map(|pair| PathBuf::from(pair[1])).filter(|path| path.is_absolute()));
        }
    }
    noted.pop_first().filter(|_| noted.is_empty())
}
