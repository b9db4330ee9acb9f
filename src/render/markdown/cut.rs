//! Makes a long document fit: from the least important end, and never without saying how much is gone.

use crate::render::{grouped, noun};

/// What a section is about, the most important first: what is less is cut first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Who gets or loses access.
    People,
    /// Who else does, where they are many.
    OtherPeople,
    /// What they gain and lose.
    Access,
    /// What of it comes to nothing with this branch.
    Withdrawn,
    /// What else is edited in the roster.
    Edits,
    /// The bindings that follow from it.
    Bindings,
    /// What the clock does.
    Renewals,
    /// What nobody needs any more.
    CleanUp,
}

/// A part of the document that may be shown in part.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) rank: Rank,
    /// Which cluster it belongs to: its heading comes with the first section that is shown.
    pub(super) cluster: usize,
    /// Before the items.
    pub(super) head: String,
    /// In the order of the document, the most important first.
    pub(super) items: Vec<String>,
    /// What an item is, for what is said in the place of those that are missing: one, and several.
    pub(super) noun: (&'static str, &'static str),
    /// What stands around that in the document.
    pub(super) more: (&'static str, &'static str),
    /// After the items.
    pub(super) tail: &'static str,
}

impl Section {
    /// `and 12 more bindings`.
    fn more(&self, missing: usize) -> String {
        let (before, after) = self.more;
        format!("{before}… and {} more {}{after}", grouped(missing), noun(missing, self.noun))
    }

    fn frame(&self) -> usize {
        self.head.len() + self.more(usize::MAX).len() + self.tail.len()
    }

    fn text(&self, shown: usize) -> String {
        let missing = self.items.len() - shown;
        let more = if missing > 0 { self.more(missing) } else { String::new() };
        format!("{}{}{more}{}", self.head, self.items[..shown].concat(), self.tail)
    }
}

/// The sections in their order, within `room` bytes, each cluster's below its heading; and what is
/// missing, as `12 people`, `3 bindings`.
pub(super) fn fit(headings: &[String], sections: &[Section], room: usize) -> (String, Vec<String>) {
    let mut shown: Vec<Option<usize>> = vec![None; sections.len()];
    let mut opened = vec![false; headings.len()];
    let mut left = room;
    let mut ranks: Vec<Rank> = sections.iter().map(|section| section.rank).collect();
    ranks.sort();
    ranks.dedup();
    for rank in ranks {
        let mut open = Vec::new();
        for (index, section) in sections.iter().enumerate().filter(|(_, section)| section.rank == rank) {
            let heading = if opened[section.cluster] { 0 } else { headings[section.cluster].len() };
            // A frame without anything in it says less than it costs.
            let least = heading + section.frame() + section.items.first().map_or(0, String::len);
            if least <= left {
                left -= heading + section.frame();
                opened[section.cluster] = true;
                shown[index] = Some(0);
                open.push(index);
            }
        }
        // One item of each in turn, so that no cluster hides another.
        while !open.is_empty() {
            open.retain(|&index| {
                let number = shown[index].get_or_insert(0);
                let item = sections[index].items.get(*number).map(String::len);
                let fits = item.is_some_and(|length| length <= left);
                if let (true, Some(length)) = (fits, item) {
                    left -= length;
                    *number += 1;
                }
                fits
            });
        }
    }
    let mut text = String::new();
    let mut opened = vec![false; headings.len()];
    let mut missing: Vec<((&'static str, &'static str), usize)> = Vec::new();
    for (section, shown) in sections.iter().zip(shown) {
        if let Some(number) = shown {
            if !std::mem::replace(&mut opened[section.cluster], true) {
                text.push_str(&headings[section.cluster]);
            }
            text.push_str(&section.text(number));
        }
        let gone = section.items.len() - shown.unwrap_or(0);
        match missing.iter_mut().find(|(of, _)| *of == section.noun) {
            Some((_, count)) => *count += gone,
            None => missing.push((section.noun, gone)),
        }
    }
    missing.retain(|(_, number)| *number > 0);
    let said = missing.into_iter().map(|(of, number)| format!("{} {}", grouped(number), noun(number, of)));
    (text, said.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(rank: Rank, cluster: usize, items: usize) -> Section {
        Section {
            rank,
            cluster,
            head: "[".into(),
            items: vec!["<i>".into(); items],
            noun: ("item", "items"),
            more: ("(", ")"),
            tail: "]",
        }
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let sections = [section(Rank::People, 0, 2), section(Rank::Bindings, 0, 1)];
        let (text, missing) = fit(&["# ".into()], &sections, 1000);
        assert_eq!((text.as_str(), missing.len()), ("# [<i><i>][<i>]", 0));
    }

    #[test]
    fn the_least_important_goes_first_and_is_counted() {
        let sections = [section(Rank::CleanUp, 0, 50), section(Rank::People, 0, 50)];
        for room in 0..700 {
            let (text, missing) = fit(&["# ".into()], &sections, room);
            assert!(text.len() <= room, "{room}: {text}");
            let (left_overs, people) = text.split_once("][").unwrap_or(("", &text));
            let shown = people.matches("<i>").count();
            assert!(left_overs.is_empty() || shown == 50, "people are cut before left-overs: {text}");
            let gone = 100 - text.matches("<i>").count();
            let said = if gone == 1 { "1 item".to_owned() } else { format!("{gone} items") };
            assert_eq!(missing, if gone == 0 { vec![] } else { vec![said] });
        }
    }

    #[test]
    fn no_cluster_hides_another() {
        let sections = [section(Rank::People, 0, 1000), section(Rank::People, 1, 1000)];
        let (text, missing) = fit(&["A".into(), "B".into()], &sections, 500);
        let (a, b) = text.split_once('B').expect("both are there");
        assert!(a.len().abs_diff(b.len()) <= 8, "{text}");
        assert_eq!(missing.len(), 1, "{missing:?}");
    }
}
