//! Records on a branch of their own, for a person to merge.

use certctl::repo::ProposalState;

use crate::workspace::*;

const BRANCH: &str = "certctl/records";

fn aside(repo: &Repo) -> PushTarget {
    repo.preflight_push(Some(BRANCH), None).unwrap()
}

/// What a run sees: first whether the records are the last ones, then the branch for proposals.
fn standing(repo: &Repo) -> ProposalState {
    let to = aside(repo);
    assert_eq!(repo.refuse_stale(&repo.head().unwrap(), Some(&to), &[]).unwrap(), None);
    repo.proposal(&to).unwrap().standing
}

fn propose(repo: &Repo, path: &str, text: &str) {
    assert_eq!(standing(repo), ProposalState::Free);
    let proposal = repo.proposal(&aside(repo)).unwrap();
    assert!(!proposal.head_is_ahead);
    let pushed = repo.propose(&proposal, &write(path, text), &message("certctl: issue")).unwrap().unwrap();
    assert_eq!((pushed.tries, pushed.note), (1, None));
}

/// Each way in which hosts merge a pull request, by a colleague's hand.
fn merge(theirs: &Clone, way: &str) {
    theirs.git("pull -q --rebase");
    theirs.git("fetch -q");
    let branch = format!("origin/{BRANCH}");
    match way {
        "merge" => drop(theirs.git(&format!("merge -q --no-ff --no-edit {branch}"))),
        "squash" => {
            theirs.git(&format!("merge -q --squash {branch}"));
            theirs.git("commit -qm squashed");
        }
        "rebase" => drop(theirs.git(&format!("cherry-pick --allow-empty main..{branch}"))),
        _ => unreachable!(),
    }
    theirs.git("push -q");
}

stories! {
    fn a_proposal_is_on_its_branch_and_nowhere_else(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        let repo = ours.open();
        let head = repo.head().unwrap();
        propose(&repo, ALICE, "alice\n");
        assert_eq!(workspace.origin_log_of(BRANCH), ["certctl: issue", "roster"]);
        assert_eq!(workspace.origin_log(), ["roster"]);
        assert_eq!((repo.head().unwrap(), ours.has(ALICE), ours.status()), (head, None, String::new()));
        // The next run, with the same clone and with another one, sees that it waits.
        assert_eq!(standing(&repo), ProposalState::Waits(1));
        assert_eq!(standing(&workspace.clone_as("other").open()), ProposalState::Waits(1));
        // Nothing to change is no proposal.
        let empty = repo.propose(&repo.proposal(&aside(&repo)).unwrap(), &Changes::new(), &message("x"));
        assert_eq!(empty.unwrap(), None);
    }

    fn once_merged_in_any_way_the_branch_is_free_and_is_built_anew(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        for (way, path) in [("merge", ALICE), ("squash", BOB), ("rebase", "access/prod/carol.yaml"), ("squash", ALICE)] {
            propose(&ours.open(), path, &format!("{path} by {way}\n"));
            // Meanwhile the roster goes on.
            theirs.git("pull -q --rebase");
            theirs.put("users.yaml", &format!("kind: Roster # {path} {way}\n"));
            theirs.commit_all("roster");
            theirs.git("push -q");
            ours.git("pull -q --rebase");
            assert_eq!(standing(&ours.open()), ProposalState::Waits(1), "{way}");
            merge(&theirs, way);
            ours.git("pull -q --rebase");
            assert_eq!(standing(&ours.open()), ProposalState::Free, "{way}");
            assert_eq!(ours.has(path).unwrap(), format!("{path} by {way}\n"));
        }
        // The last one stands on main, and holds nothing but itself.
        propose(&ours.open(), BOB, "bob again\n");
        workspace.git(&format!("--git-dir=origin.git merge-base --is-ancestor main {BRANCH}"));
        assert_eq!(workspace.git(&format!("--git-dir=origin.git diff --name-only main {BRANCH}")), format!("{BOB}\n"));
    }

    fn a_branch_brought_up_to_date_by_a_button_still_waits(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        let repo = ours.open();
        propose(&repo, ALICE, "alice\n");
        theirs.put("README", "more\n");
        theirs.put(BOB, "bob\n");
        theirs.commit_all("meanwhile");
        theirs.git("push -q");
        theirs.git("fetch -q");
        theirs.git(&format!("switch -q -c {BRANCH} origin/{BRANCH}"));
        theirs.git("merge -q --no-edit main");
        theirs.git(&format!("push -q origin {BRANCH}"));
        ours.git("pull -q --rebase");
        assert_eq!(standing(&repo), ProposalState::Waits(1));
        theirs.git("switch -q main");
        merge(&theirs, "squash");
        ours.git("pull -q --rebase");
        assert_eq!(standing(&repo), ProposalState::Free);
    }

    fn a_closed_proposal_waits_until_its_branch_is_deleted(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        let repo = ours.open();
        propose(&repo, ALICE, "alice\n");
        assert_eq!(standing(&repo), ProposalState::Waits(1));
        workspace.git(&format!("--git-dir=origin.git branch -qD {BRANCH}"));
        assert_eq!(standing(&repo), ProposalState::Free);
        propose(&repo, ALICE, "alice, issued anew\n");
    }

    fn what_somebody_else_put_there_is_not_replaced(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        theirs.git(&format!("switch -qc {BRANCH}"));
        theirs.put("README", "work of a week\n");
        theirs.commit_all("theirs");
        theirs.git(&format!("push -q origin {BRANCH}"));
        let repo = ours.open();
        let error = refused(repo.proposal(&aside(&repo)));
        assert!(error.contains("origin/certctl/records also changes README, which is no record"), "{error}");
        // Nor what has nothing to do with this roster.
        let tree = workspace.git("--git-dir=origin.git rev-parse main^{tree}");
        let alien = theirs.git(&format!("commit-tree -m alien {}", tree.trim()));
        theirs.git(&format!("push -qf origin {}:refs/heads/{BRANCH}", alien.trim()));
        let error = refused(repo.proposal(&aside(&repo)));
        assert!(error.contains("no history in common with origin/main"), "{error}");
    }

    fn a_branch_that_moves_in_between_is_left_as_it_is(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        let (first, second) = (ours.open(), workspace.clone_as("other").open());
        let (one, two) = (first.proposal(&aside(&first)).unwrap(), second.proposal(&aside(&second)).unwrap());
        first.propose(&one, &write(ALICE, "alice\n"), &message("certctl: first")).unwrap().unwrap();
        let error = refused(second.propose(&two, &write(ALICE, "another\n"), &message("certctl: second")));
        assert!(error.contains("changed by someone else just now; nothing was granted"), "{error}");
        assert_eq!(workspace.origin_log_of(BRANCH), ["certctl: first", "roster"]);
    }

    fn what_the_branch_did_not_take_goes_first_and_once(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        let repo = ours.open();
        workspace.hook("update", "[ $1 != refs/heads/main ] || { echo 'GL: You are not allowed to push code to protected branches' >&2; exit 1; }");
        let id = commit(&repo, ALICE, "alice\n");
        assert!(refused(repo.push(&target(&repo))).contains("origin/main is protected"));
        assert_eq!(standing(&repo), ProposalState::Unpushed);
        let proposal = repo.proposal(&aside(&repo)).unwrap();
        assert!(proposal.head_is_ahead);
        assert_eq!(repo.propose_head(&proposal).unwrap().commit.to_string(), id);
        // It is still no record of the roster's branch.
        assert_eq!(standing(&repo), ProposalState::Waits(1));
        assert!(repo.proposal(&aside(&repo)).unwrap().head_is_ahead);
        fs::remove_file(workspace.0.join("origin.git/hooks/update")).unwrap();
        merge(&theirs, "squash");
        // The clone that has it under another id follows.
        assert_eq!(standing(&repo), ProposalState::Free);
        assert!(!repo.proposal(&aside(&repo)).unwrap().head_is_ahead);
        assert_eq!((subject(&ours).as_str(), ours.status()), ("squashed", String::new()));
    }

    fn what_a_person_committed_waits_as_records_do(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        let repo = ours.open();
        ours.put("users.yaml", "kind: Roster # bob left\n");
        ours.commit_all("bob-left");
        assert_eq!(standing(&repo), ProposalState::Free);
        let proposal = repo.proposal(&aside(&repo)).unwrap();
        assert!(proposal.head_is_ahead);
        repo.propose_head(&proposal).unwrap();
        assert_eq!(standing(&repo), ProposalState::Waits(1));
        let head = repo.head().unwrap();
        merge(&theirs, "squash");
        assert_eq!(standing(&repo), ProposalState::Free);
        assert!(!repo.proposal(&aside(&repo)).unwrap().head_is_ahead);
        assert_eq!(repo.head().unwrap(), head, "a person's commit is theirs to move");
    }

    fn a_shallow_clone_knows_what_is_merged(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        propose(&ours.open(), ALICE, "alice\n");
        for n in 0..3 {
            theirs.put("README", &n.to_string());
            theirs.commit_all("more");
        }
        theirs.git("push -q");
        let clone = workspace.actions_checkout("ci");
        assert_eq!(clone.git("rev-list --count HEAD"), "1\n");
        assert_eq!(standing(&clone.open()), ProposalState::Waits(1));
        merge(&theirs, "squash");
        let clone = workspace.actions_checkout("ci-after");
        let repo = clone.open();
        assert_eq!(standing(&repo), ProposalState::Free);
        propose(&repo, BOB, "bob\n");
        assert_eq!(workspace.git(&format!("--git-dir=origin.git diff --name-only main {BRANCH}")), format!("{BOB}\n"));
    }

    fn the_remotes_own_page_goes_before_the_one_that_is_derived(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        workspace.ssh_to_origin(&ours, "");
        ours.git("remote set-url origin git@gitlab.example.com:acme/access.git");
        let repo = ours.open();
        let derived = "https://gitlab.example.com/acme/access/-/merge_requests/new?merge_request%5Bsource_branch%5D=certctl/records&merge_request%5Btarget_branch%5D=main";
        assert_eq!(repo.pull_request_url(&aside(&repo)).as_deref(), Some(derived));
        let propose = |text: &str| {
            let proposal = repo.proposal(&aside(&repo)).unwrap();
            let pushed = repo.propose(&proposal, &write(ALICE, text), &message("certctl: issue"));
            workspace.git(&format!("--git-dir=origin.git branch -qD {BRANCH}"));
            pushed.unwrap().unwrap().page.unwrap()
        };
        assert_eq!(propose("one\n"), derived);
        workspace.hook("post-receive", "echo; echo 'To create a merge request for certctl/records, visit:'; echo '  https://git.example.com/acme/access/-/merge_requests/new?x=certctl%2Frecords'");
        assert_eq!(propose("two\n"), "https://git.example.com/acme/access/-/merge_requests/new?x=certctl%2Frecords");
    }

    fn a_proposal_whose_reply_was_lost_counts_and_a_declined_one_leaves_nothing(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        let repo = ours.open();
        let proposal = repo.proposal(&aside(&repo)).unwrap();
        workspace.hook("pre-receive", "echo 'no branches today' >&2; exit 1");
        let declined = repo.propose(&proposal, &write(ALICE, "alice\n"), &message("certctl: issue"));
        let error = refused(declined);
        assert!(error.contains("no branches today") && error.contains("nothing was granted"), "{error}");
        assert!(error.contains("also by force"), "{error}");
        // No right to push helps here.
        workspace.hook("pre-receive", "echo 'Commit must be a signed commit' >&2; exit 1");
        let error = refused(repo.propose(&proposal, &write(ALICE, "alice\n"), &message("certctl: issue")));
        assert!(error.contains("commit.gpgSign") && !error.contains("by force"), "{error}");
        assert_eq!((ours.status(), subject(&ours).as_str()), (String::new(), "roster"));
        assert_eq!(standing(&repo), ProposalState::Free);

        fs::remove_file(workspace.0.join("origin.git/hooks/pre-receive")).unwrap();
        // The origin takes the push, and dies before it can say so.
        workspace.hook("reference-transaction", "[ \"$1\" != committed ] || kill -9 $PPID");
        let pushed = repo.propose(&proposal, &write(ALICE, "alice\n"), &message("certctl: issue")).unwrap().unwrap();
        let tip = workspace.git(&format!("--git-dir=origin.git rev-parse {BRANCH}"));
        assert_eq!(pushed.commit.as_str(), tip.trim());
    }
}
