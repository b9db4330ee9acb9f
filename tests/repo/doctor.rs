//! What `certctl doctor` says of git, before anything has to be committed.

use certctl_testing::Ran;
use serde_json::Value;

use crate::history::roster;
use crate::workspace::*;

stories! {
    /// No cluster is there, so it fails each time; what it says of git is all that counts here.
    fn doctor_names_what_git_lacks_and_how_to_get_it(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        clone.put("users.yaml", &roster(&["bob"]));
        clone.git("commit -qam roster");
        let checked = || -> Vec<(String, String, String)> {
            let mut command = Command::new(env!("CARGO_BIN_EXE_certctl"));
            let ran = Ran::of(command.args(["doctor", "--format", "json"]).current_dir(&clone.0)).expect(1);
            let document: Value = serde_json::from_str(&ran.stdout).unwrap();
            let checks = document["checks"].as_array().unwrap().iter().filter(|check| check["area"] == "git");
            let text = |check: &Value, field: &str| check[field].as_str().unwrap_or_default().to_owned();
            checks.map(|check| (text(check, "check"), text(check, "result"), text(check, "hint"))).collect()
        };
        let failed = || -> Vec<(String, String)> {
            let failed = checked().into_iter().filter(|(_, result, _)| result == "failed");
            failed.map(|(check, _, hint)| (check, hint)).collect()
        };
        assert_eq!(failed(), [], "{:?}", checked());
        assert_eq!(checked().len(), 3);

        clone.git("config user.useConfigOnly true");
        let configured = fs::read_to_string(workspace.0.join(".gitconfig")).unwrap();
        fs::write(workspace.0.join(".gitconfig"), "").unwrap();
        assert!(matches!(&failed()[..], [(check, hint)] if check == "commit" && hint.contains("user.email")), "{:?}", checked());
        fs::write(workspace.0.join(".gitconfig"), configured).unwrap();

        clone.git("config commit.gpgsign true");
        clone.git("config gpg.program false");
        assert!(matches!(&failed()[..], [(check, hint)] if check == "commit" && hint.contains("sign")), "{:?}", checked());
        clone.git("config commit.gpgsign false");

        clone.git("remote set-url origin nowhere.git");
        assert!(matches!(&failed()[..], [(check, _)] if check == "push"), "{:?}", checked());
    }
}
