//! One Rust file walked once: the paths it uses, what it defines and imports, its functions and their lengths.

use crate::{Finding, Source, Tree};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeMap;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// A path such as `crate::pool::Pool`, where it is used.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// Modules written inside the file around this place.
    pub(crate) inline: Vec<String>,
    pub(crate) test: bool,
    pub(crate) kind: Kind,
}

/// How a path is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In an expression, a type or a macro's tokens.
    Plain,
    /// By `use`, one leaf of its tree.
    Import,
    /// By `use path::*`; the star is not among the segments.
    Glob,
}

/// A function with a body.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    /// `Type::name`, or `name` alone.
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
    /// Marked `#[test]` or `#[something::test]`.
    pub(crate) is_test: bool,
}

/// `#[allow(…)]` or `#[expect(…)]` outside tests.
#[derive(Debug, Clone)]
pub(crate) struct Waiver {
    pub(crate) line: usize,
    pub(crate) has_reason: bool,
}

/// All that the checks want to know of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walked {
    pub(crate) path: String,
    pub(crate) test: bool,
    pub(crate) used: Vec<Used>,
    pub(crate) functions: Vec<Function>,
    pub(crate) waivers: Vec<Waiver>,
    /// Names of the items at the file's own level, without modules in files of their own.
    pub(crate) items: Vec<String>,
    /// What the file's own level imports: the name here, and the path it stands for.
    pub(crate) imports: BTreeMap<String, Vec<String>>,
    /// `#[cfg(test)] mod name;`: these files are tests.
    pub(crate) test_children: Vec<String>,
}

/// Every Rust file, walked; and a finding for each that is not Rust.
pub(crate) fn walk(tree: &Tree) -> (Vec<Walked>, Vec<Finding>) {
    let (mut walked, mut findings) = (Vec::new(), Vec::new());
    for source in tree.rust() {
        match walk_one(source) {
            Ok(file) => walked.push(file),
            Err(error) => {
                findings.push(Finding::new(
                    &source.path,
                    error.span().start().line,
                    format!("does not parse: {error}"),
                ));
            }
        }
    }
    let test_only: Vec<String> = walked.iter().flat_map(test_only_files).collect();
    for file in &mut walked {
        if test_only.iter().any(|stem| file.path == format!("{stem}.rs") || file.path.starts_with(&format!("{stem}/")))
        {
            file.test = true;
        }
    }
    for file in &mut walked {
        let test = file.test;
        file.used.iter_mut().for_each(|used| used.test |= test);
        if test {
            file.waivers.clear();
        }
    }
    (walked, findings)
}

fn walk_one(source: &Source) -> syn::Result<Walked> {
    let file = syn::parse_file(&source.text)?;
    let test = source.is_test() || file.attrs.iter().any(is_cfg_test);
    let mut walker = Walker::new(source, test);
    walker.visit_file(&file);
    walker.out.test = test;
    Ok(walker.out)
}

/// Paths without `.rs` of the modules that the file declares for tests only.
fn test_only_files(file: &Walked) -> Vec<String> {
    let folder = match file.path.strip_suffix(".rs").map(|stem| (stem, stem.rsplit_once('/'))) {
        Some((_, Some((folder, "lib" | "main" | "mod")))) => folder,
        Some((stem, _)) => stem,
        None => return Vec::new(),
    };
    file.test_children.iter().map(|name| format!("{folder}/{name}")).collect()
}

struct Walker<'a> {
    text: Vec<&'a str>,
    inline: Vec<String>,
    owner: Option<String>,
    tests: usize,
    blocks: usize,
    out: Walked,
}

impl<'a> Walker<'a> {
    fn new(source: &'a Source, test: bool) -> Self {
        let out = Walked { path: source.path.clone(), ..Walked::default() };
        Self {
            text: source.text.lines().collect(),
            inline: Vec::new(),
            owner: None,
            tests: usize::from(test),
            blocks: 0,
            out,
        }
    }

    fn use_path(&mut self, segments: Vec<String>, line: usize, kind: Kind) {
        let (inline, test) = (self.inline.clone(), self.tests > 0);
        self.out.used.push(Used { segments, line, inline, test, kind });
    }

    fn use_tree(&mut self, tree: &syn::UseTree, mut before: Vec<String>) {
        let line = tree.span().start().line;
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.use_tree(&path.tree, before);
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(item, before.clone())),
            syn::UseTree::Glob(_) => self.use_path(before, line, Kind::Glob),
            syn::UseTree::Name(name) => self.use_leaf(before, &name.ident.to_string(), None, line),
            syn::UseTree::Rename(rename) => {
                self.use_leaf(before, &rename.ident.to_string(), Some(rename.rename.to_string()), line);
            }
        }
    }

    fn use_leaf(&mut self, mut path: Vec<String>, name: &str, renamed: Option<String>, line: usize) {
        if name != "self" {
            path.push(name.to_owned());
        }
        let here = renamed.or_else(|| path.last().cloned()).unwrap_or_default();
        if self.blocks == 0 && self.inline.is_empty() && self.tests == 0 {
            self.out.imports.insert(here, path.clone());
        }
        self.use_path(path, line, Kind::Import);
    }

    /// Paths in a macro's tokens, which syn does not parse.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let colons = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut segments = vec![first.to_string()];
                    while colons(at) && colons(at + 1) {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 2) else { break };
                        segments.push(next.to_string());
                        at += 3;
                    }
                    if segments.len() > 1 {
                        self.use_path(segments, first.span().start().line, Kind::Plain);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn function(&mut self, signature: &syn::Signature, end: usize, attributes: &[syn::Attribute]) {
        let line = signature.span().start().line;
        let name = match &self.owner {
            Some(owner) => format!("{owner}::{}", signature.ident),
            None => signature.ident.to_string(),
        };
        let is_test = attributes.iter().any(is_test_attribute);
        self.out.functions.push(Function { name, line, lines: end + 1 - line, is_test });
    }

    fn waivers(&mut self, attributes: &[syn::Attribute]) {
        for attribute in attributes {
            if self.tests > 0 || !(attribute.path().is_ident("allow") || attribute.path().is_ident("expect")) {
                continue;
            }
            let (from, to) = (attribute.span().start().line, attribute.span().end().line);
            let line =
                |number: usize| number.checked_sub(1).and_then(|at| self.text.get(at)).copied().unwrap_or_default();
            let inside = (from..=to).any(|number| line(number).contains("reason =") || line(number).contains("//"));
            let has_reason = inside || line(from.saturating_sub(1)).trim_start().starts_with("//");
            self.out.waivers.push(Waiver { line: from, has_reason });
        }
    }
}

impl<'ast> Visit<'ast> for Walker<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let test = attributes(item).iter().any(|attribute| is_cfg_test(attribute) || is_test_attribute(attribute));
        self.tests += usize::from(test);
        if self.blocks == 0 && self.inline.is_empty() {
            self.out.items.extend(name_of(item));
        }
        if let syn::Item::Mod(module) = item
            && module.content.is_none()
            && test
        {
            self.out.test_children.push(module.ident.to_string());
        }
        visit::visit_item(self, item);
        self.tests -= usize::from(test);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.inline.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.inline.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.waivers(&item.attrs);
        self.use_tree(&item.tree, Vec::new());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        self.waivers(std::slice::from_ref(attribute));
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        self.blocks += 1;
        visit::visit_block(self, block);
        self.blocks -= 1;
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.use_path(segments, path.span().start().line, Kind::Plain);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        visit::visit_macro(self, item);
        self.tokens(item.tokens.clone());
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let mut owner = type_name(&item.self_ty);
        if let Some((_, of, _)) = &item.trait_ {
            let of = of.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            owner = format!("<{owner} as {of}>");
        }
        let outer = self.owner.replace(owner);
        visit::visit_item_impl(self, item);
        self.owner = outer;
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let outer = self.owner.replace(item.ident.to_string());
        visit::visit_item_trait(self, item);
        self.owner = outer;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, item.block.span().end().line, &item.attrs);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, item.block.span().end().line, &item.attrs);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block.span().end().line, &item.attrs);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

fn type_name(of: &syn::Type) -> String {
    match of {
        syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default(),
        syn::Type::Reference(reference) => type_name(&reference.elem),
        _ => "_".to_owned(),
    }
}

/// `#[cfg(test)]`, also inside `all(…)`; `not(test)` is not it.
pub(crate) fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    attribute.path().is_ident("cfg") && names_test(list.tokens.clone())
}

fn names_test(tokens: TokenStream) -> bool {
    let mut negated = false;
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => {
            negated = ident == "not" || ident == "any";
            ident == "test"
        }
        TokenTree::Group(group) => !std::mem::take(&mut negated) && names_test(group.stream()),
        _ => false,
    })
}

fn is_test_attribute(attribute: &syn::Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
}

/// The attributes of an item.
pub(crate) fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name an item gives its module; modules in files of their own and imports are not counted.
fn name_of(item: &syn::Item) -> Option<String> {
    let ident = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Mod(item) if item.content.is_some() => &item.ident,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn one(text: &str) -> Walked {
        let (mut walked, findings) = walk(&Tree::sample(&[("crates/a/src/x.rs", text)]));
        assert_eq!(findings, []);
        walked.pop().unwrap()
    }

    #[test]
    fn paths_are_seen_in_types_imports_and_macros() {
        let file = one("use crate::{a::B, c as d};\nfn f(x: omni_types::T) { println!(\"{}\", crate::m::n(x)); }\n");
        let seen: Vec<String> =
            file.used.iter().map(|used| format!("{}:{}", used.line, used.segments.join("::"))).collect();
        assert_eq!(seen, ["1:crate::a::B", "1:crate::c", "2:omni_types::T", "2:crate::m::n"]);
        assert_eq!(file.imports["d"], ["crate", "c"]);
        assert_eq!(file.items, ["f"]);
    }

    #[test]
    fn what_stands_in_tests_is_known_as_such() {
        let file =
            one("use a::b;\n#[cfg(test)]\nmod tests { use super::*; use c::d; }\n#[cfg(not(test))]\nuse e::f;\n");
        let tests: Vec<bool> = file.used.iter().map(|used| used.test).collect();
        assert_eq!(tests, [false, true, true, false]);
        assert_eq!(file.used[1].kind, Kind::Glob);
    }

    #[test]
    fn a_module_declared_for_tests_makes_its_file_a_test() {
        let tree = Tree::sample(&[
            ("crates/a/src/lib.rs", "#[cfg(test)] mod double;\nmod real;\n"),
            ("crates/a/src/double.rs", "use c::d;\n"),
            ("crates/a/src/real.rs", "use c::d;\n"),
        ]);
        let (walked, _) = walk(&tree);
        let test = |path: &str| walked.iter().find(|file| file.path.ends_with(path)).unwrap().used[0].test;
        assert!(test("double.rs") && !test("real.rs"));
    }

    #[test]
    fn functions_are_named_by_their_owner_and_measured_to_the_brace() {
        let file = one("impl T for S {\n  fn f() {\n    g();\n  }\n}\n#[test]\nfn g() {}\n");
        let seen: Vec<(&str, usize, usize)> = file.functions.iter().map(|f| (&*f.name, f.line, f.lines)).collect();
        assert_eq!(seen, [("<S as T>::f", 2, 3), ("g", 7, 1)]);
        assert!(file.functions[1].is_test);
    }

    #[test]
    fn a_file_that_is_not_rust_is_a_finding() {
        let (_, findings) = walk(&Tree::sample(&[("crates/a/src/x.rs", "fn {")]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.starts_with("does not parse"));
    }
}
