//! Checks the architecture in the sources. No files import each other in a circle. The layers of the custom
//! backend import only downward. Its unsafe code is only in the layers meant for it. The code cites each rule of
//! its protocols.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

const CRATES: &[&str] = &[
    "src",
    "flow-table-api/src",
    "flow-table-c/src",
    "flow-table-dashmap/src",
    "flow-table-custom/src",
    "flow-table-conformance/src",
    "flow-table-cli/src",
    "flow-table-gateway/src",
    "flow-table-replicate/src",
    "benches/src",
    "benches/src/bin/flow-table-bench",
];

const CUSTOM: &str = "flow-table-custom/src";

/// The layers of the custom backend from the top down, by the first part of a module's path. Layers on one line do
/// not know each other. A layer may use those below it.
const LAYERS: &[&[&str]] = &[
    &["lib"],
    &["table"],
    &["burst"],
    &["ops"],
    &["handle"],
    &["release"],
    &["core"],
    &["shard"],
    &["flows"],
    &["index", "timer", "grace"],
    &["memory"],
    &["ids", "hash", "panics", "nesting", "threads", "prefetch"],
    &["sync"],
];

/// The layers of the custom backend that may have unsafe code.
const UNSAFE: [&str; 5] = ["flows", "index", "handle", "memory", "prefetch"];

/// A module's path within its crate, without `crate`.
type Module = Vec<String>;

/// The sources of one crate.
struct Sources {
    files: BTreeMap<Module, syn::File>,
    texts: BTreeMap<Module, String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

impl Sources {
    /// Reads the sources in this folder.
    fn of(src: &str) -> Self {
        let (mut files, mut texts) = (BTreeMap::new(), BTreeMap::new());
        let src = root().join(src);
        let mut folders = vec![src.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                if path.ends_with("src/bin") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).expect("a source file");
                    let file =
                        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    let module = module_of(path.strip_prefix(&src).expect("below src"));
                    files.insert(module.clone(), file);
                    texts.insert(module, text);
                }
            }
        }
        Self { files, texts }
    }

    /// The files that each file imports from. Tests are left out.
    fn imports(&self) -> BTreeMap<&Module, BTreeSet<&Module>> {
        let exports = self.files.iter().map(|(module, file)| (module, reexports(module, file))).collect();
        let edges = self.files.iter().filter(|(module, _)| !is_test(module)).map(|(module, file)| {
            // A file that only declares and re-exports imports nothing.
            let is_facade = file.items.iter().all(|item| matches!(item, Item::Mod(_) | Item::Use(_)));
            let mut found = Paths { module, children: children(file), paths: Vec::new(), is_facade };
            found.visit_file(file);
            let targets = found.paths.iter().filter_map(|path| self.resolve(path, &exports));
            (module, targets.filter(|target| *target != module).collect())
        });
        edges.collect()
    }

    /// The file that defines what a path names.
    fn resolve<'s>(
        &'s self,
        path: &[String],
        exports: &BTreeMap<&Module, BTreeMap<String, Module>>,
    ) -> Option<&'s Module> {
        let len = (0..=path.len()).rev().find(|&len| self.files.contains_key(&path[..len]))?;
        let (module, _) = self.files.get_key_value(&path[..len])?;
        let exported = path.get(len).and_then(|name| exports[module].get(name));
        match exported {
            Some(source) if source.as_slice() != path => self.resolve(source, exports),
            _ => Some(module),
        }
    }
}

fn module_of(file: &Path) -> Module {
    let mut module: Module = file.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let name = module.pop().expect("a file's name");
    match name.trim_end_matches(".rs") {
        "lib" | "main" if module.is_empty() => {}
        "mod" => {}
        name => module.push(name.to_owned()),
    }
    module
}

fn is_test(module: &[String]) -> bool {
    module.iter().any(|part| part == "tests")
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("test"))
    })
}

/// The names that a module imports with `use`, and their paths.
fn reexports(module: &Module, file: &syn::File) -> BTreeMap<String, Module> {
    let mut names = BTreeMap::new();
    for item in &file.items {
        if let Item::Use(item) = item {
            let mut paths = Vec::new();
            flatten(&item.tree, &mut Vec::new(), &mut paths);
            for (path, name) in paths {
                if let Some(path) = absolute(module, &path).or_else(|| child(module, &path)) {
                    names.insert(name, path);
                }
            }
        }
    }
    names
}

/// The path of `use arrays::Arrays` in a module that has `arrays` below it.
fn child(module: &Module, path: &[String]) -> Option<Module> {
    Some([module.as_slice(), path].concat())
}

/// The modules that a file declares below itself.
fn children(file: &syn::File) -> BTreeSet<String> {
    let modules = file.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() => Some(module.ident.to_string()),
        _ => None,
    });
    modules.collect()
}

fn flatten(tree: &UseTree, prefix: &mut Vec<String>, paths: &mut Vec<(Vec<String>, String)>) {
    let mut leaf = |last: &syn::Ident, name: &syn::Ident| {
        let path = prefix.iter().cloned().chain([last.to_string()]).collect();
        paths.push((path, name.to_string()));
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, paths);
            prefix.pop();
        }
        UseTree::Name(name) => leaf(&name.ident, &name.ident),
        UseTree::Rename(name) => leaf(&name.ident, &name.rename),
        UseTree::Glob(_) => paths.push((prefix.clone(), "*".to_owned())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix, paths)),
    }
}

/// The path within the crate, if it begins with `crate`, `self` or `super`.
fn absolute(module: &Module, path: &[String]) -> Option<Module> {
    // `crate` alone is a visibility.
    let mut base = match path.first().filter(|_| path.len() > 1)?.as_str() {
        "crate" => Module::new(),
        "self" => module.clone(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        _ => return None,
    };
    for part in &path[1..] {
        match part.as_str() {
            "super" => drop(base.pop()),
            part => base.push(part.to_owned()),
        }
    }
    Some(base)
}

/// Finds the paths into the crate that a file uses. Leaves out tests.
struct Paths<'m> {
    module: &'m Module,
    children: BTreeSet<String>,
    paths: Vec<Module>,
    is_facade: bool,
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // An inline module: its `super` is this file.
        if item.content.is_none() || !item.attrs.is_empty() {
            return;
        }
        visit::visit_item_mod(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !self.is_facade && !is_for_tests(&item.attrs) {
            let mut paths = Vec::new();
            flatten(&item.tree, &mut Vec::new(), &mut paths);
            let paths = paths.iter().map(|(path, _)| path);
            self.paths
                .extend(paths.filter_map(|path| absolute(self.module, path).or_else(|| child(self.module, path))));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let is_below = parts.len() > 1 && self.children.contains(&parts[0]);
        let below = || is_below.then(|| child(self.module, &parts)).flatten();
        self.paths.extend(absolute(self.module, &parts).or_else(below));
        visit::visit_path(self, path);
    }
}

fn name(module: &[String]) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("::") }
}

/// The files that can be reached from `from`.
fn reach<'m>(from: &'m Module, imports: &BTreeMap<&'m Module, BTreeSet<&'m Module>>) -> BTreeSet<&'m Module> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for target in imports.get(module).into_iter().flatten() {
            if reached.insert(*target) {
                open.push(target);
            }
        }
    }
    reached
}

#[test]
fn no_files_import_each_other() {
    let mut circles = Vec::new();
    for krate in CRATES {
        let sources = Sources::of(krate);
        let imports = sources.imports();
        for (module, targets) in &imports {
            let back = targets.iter().filter(|target| reach(target, &imports).contains(*module));
            circles.extend(back.map(|target| format!("{krate}: {} → {}", name(module), name(target))));
        }
    }
    assert!(circles.is_empty(), "imports in circles:\n{}", circles.join("\n"));
}

#[test]
fn layers_import_downward() {
    let sources = Sources::of(CUSTOM);
    let layer = |module: &[String]| {
        let first = module.first().map_or("lib", String::as_str);
        let level = LAYERS.iter().position(|layer| layer.contains(&first));
        (level.unwrap_or_else(|| panic!("{first} is in no layer")), first.to_owned())
    };
    let mut upward = Vec::new();
    for (module, targets) in sources.imports() {
        let (level, own) = layer(module);
        for target in targets {
            let (below, other) = layer(target);
            if own != other && below <= level {
                upward.push(format!("{} → {}", name(module), name(target)));
            }
        }
    }
    assert!(upward.is_empty(), "imports upward:\n{}", upward.join("\n"));
}

#[test]
fn unsafe_code_stands_in_the_layers_for_it() {
    let sources = Sources::of(CUSTOM);
    for (module, text) in sources.texts.iter().filter(|(module, _)| !is_test(module)) {
        let first = module.first().map_or("lib", String::as_str);
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        let is_unsafe = code.filter(|line| !line.contains("unsafe_")).any(|line| line.contains("unsafe "));
        assert!(!is_unsafe || UNSAFE.contains(&first), "{} has unsafe code", name(module));
    }
}

/// As rustfmt is told. It leaves comments and text alone.
const WIDTH: usize = 115;

#[test]
fn no_line_is_wider_than_rustfmt_is_told() {
    let wide = |text: &str| text.lines().position(|line| line.chars().count() > WIDTH);
    for krate in CRATES {
        for (module, text) in Sources::of(krate).texts {
            assert_eq!(wide(&text), None, "lines of {krate}: {}", name(&module));
        }
    }
}

/// The rules `P1`, `P2` … that a text names.
fn rules(text: &str) -> BTreeSet<u32> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter_map(|word| word.strip_prefix('P')?.parse().ok()).collect()
}

#[test]
fn each_rule_of_the_protocols_is_cited_by_the_code() {
    let book = fs::read_to_string(root().join("flow-table-custom/IMPLEMENTATION.md")).expect("the book");
    let sources = Sources::of(CUSTOM);
    let code = sources.texts.iter().filter(|(module, _)| !is_test(module));
    let cited: BTreeSet<u32> = code.flat_map(|(_, text)| rules(text)).collect();
    assert_eq!(rules(&book), cited, "the rules of IMPLEMENTATION.md, and those that the code cites");
    assert!(cited.len() >= 13);
}
