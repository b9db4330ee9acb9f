//! The fenced blocks of a Markdown page.

/// One block.
pub struct Block {
    /// The page, from the root of the repository.
    pub page: String,
    /// The line of its fence.
    pub line: usize,
    /// What stands behind the fence: `console`, `yaml`, ...
    pub language: String,
    /// Its lines, without the indentation of the fence.
    pub text: String,
}

/// The blocks of a page, in order.
pub fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside: Option<usize> = None;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        match (trimmed.strip_prefix("```"), inside) {
            (Some(language), None) => {
                inside = Some(line.len() - trimmed.len());
                blocks.push(Block {
                    page: page.to_owned(),
                    line: number + 1,
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => inside = None,
            (None, Some(indent)) => {
                if let Some(block) = blocks.last_mut() {
                    block.text.push_str(line.get(indent..).unwrap_or_default());
                    block.text.push('\n');
                }
            }
            (None, None) => {}
        }
    }
    assert!(inside.is_none(), "{page}: a fence is not closed");
    blocks
}
