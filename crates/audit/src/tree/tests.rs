//! The tree against a naive one, the vectors of RFC 6962's reference, and tiles on disk.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod independent;

use std::convert::Infallible;

use proptest::prelude::*;

use super::{
    Frontier, Hash, Nodes, TILE_WIDTH, TileId, TileWriter, Tiles, consistency_proof, empty_root, inclusion_proof,
    leaf_hash, node_hash, root_at, verify_consistency, verify_inclusion,
};

/// The definition of RFC 9162, 2.1.1, word for word.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        more => {
            let split = more.len().next_power_of_two() / 2;
            node_hash(&naive(&more[..split]), &naive(&more[split..]))
        }
    }
}

struct Leaves(Vec<Hash>);

impl Nodes for Leaves {
    type Error = Infallible;

    fn node(&self, height: u32, index: u64) -> Result<Hash, Infallible> {
        let (from, to) = ((index as usize) << height, (index as usize + 1) << height);
        Ok(naive(&self.0[from..to]))
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The eight leaves that the reference implementation of RFC 6962 tests with, and its roots.
#[test]
fn roots_are_those_of_the_reference_of_rfc_6962() {
    let inputs: [&[u8]; 8] = [
        b"",
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    assert_eq!(hex(&empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let mut frontier = Frontier::default();
    for (input, root) in inputs.iter().zip(roots) {
        frontier.append(leaf_hash(input), |_, _, _| {});
        assert_eq!(hex(&frontier.root()), root);
    }
}

#[test]
fn every_proof_of_small_trees_holds_and_no_changed_one() {
    let all = leaves(33);
    let nodes = Leaves(all.clone());
    for size in 1..=33_u64 {
        let root = naive(&all[..size as usize]);
        assert_eq!(root_at(&nodes, size).unwrap(), root);
        for index in 0..size {
            let proof = inclusion_proof(&nodes, index, size).unwrap();
            let leaf = &all[index as usize];
            assert!(verify_inclusion(leaf, index, size, &proof, &root), "{index} of {size}");
            assert!(!verify_inclusion(leaf, index + 1, size, &proof, &root), "{index} as its neighbour, of {size}");
            assert!(!verify_inclusion(&leaf_hash(b"x"), index, size, &proof, &root));
            for at in 0..proof.len() {
                let mut changed = proof.clone();
                changed[at][7] ^= 1;
                assert!(!verify_inclusion(leaf, index, size, &changed, &root));
                changed.remove(at);
                assert!(!verify_inclusion(leaf, index, size, &changed, &root));
            }
        }
        for old in 0..=size {
            let proof = consistency_proof(&nodes, old, size).unwrap();
            let old_root = naive(&all[..old as usize]);
            assert!(verify_consistency(old, size, &proof, &old_root, &root), "{old} to {size}");
            assert!(!verify_consistency(old, size, &proof, &leaf_hash(b"x"), &root));
            if old > 0 && old < size {
                assert!(!verify_consistency(old, size, &proof, &old_root, &leaf_hash(b"x")), "{old} to {size}");
                let longer = [proof.as_slice(), &[root]].concat();
                assert!(!verify_consistency(old, size, &longer, &old_root, &root));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn tiles_on_disk_give_the_roots_and_proofs_of_the_naive_tree(
        batches in proptest::collection::vec(1..700_usize, 1..5), at in any::<proptest::sample::Index>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let all = leaves(batches.iter().sum());
        let mut frontier = Frontier::default();
        for batch in batches {
            // Each batch by a writer of its own, as after a start.
            let mut writer = TileWriter::resume(directory.path(), frontier.size()).unwrap();
            let from = frontier.size() as usize;
            for leaf in &all[from..from + batch] {
                frontier.append(*leaf, |height, _, hash| writer.add(height, hash));
            }
            writer.flush().unwrap();
            prop_assert_eq!(&Tiles::of(directory.path()).frontier(frontier.size()).unwrap(), &frontier);
        }
        let (tiles, size) = (Tiles::of(directory.path()), all.len() as u64);
        prop_assert_eq!(root_at(&tiles, size).unwrap(), naive(&all));
        let index = at.index(all.len());
        let proof = inclusion_proof(&tiles, index as u64, size).unwrap();
        prop_assert!(verify_inclusion(&all[index], index as u64, size, &proof, &frontier.root()));
        let old = at.index(all.len() + 1) as u64;
        let proof = consistency_proof(&tiles, old, size).unwrap();
        prop_assert!(verify_consistency(old, size, &proof, &naive(&all[..old as usize]), &frontier.root()));
    }
}

#[test]
fn tiles_are_named_as_the_specification_says() {
    assert_eq!(TileId { level: 0, index: 1_234_067 }.path(None), "tile/0/x001/x234/067");
    assert_eq!(TileId { level: 2, index: 5 }.path(Some(17)), "tile/2/005.p/17");
    assert_eq!(TILE_WIDTH, 256);
}

#[test]
fn ret_1_tiles_over_what_was_deleted_are_durable_before_what_they_replace_goes() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = TileWriter::resume(directory.path(), 0).unwrap();
    let of = |level, index| TileId { level, index };
    assert!(!writer.must_last(of(0, 0)));
    writer.keep_from(70_000);
    // The tile at the edge has hashes of both; all before it and above it too.
    let lasting = [of(0, 0), of(0, 273), of(1, 0), of(1, 1), of(2, 0), of(7, 0)];
    assert!(lasting.into_iter().all(|id| writer.must_last(id)));
    assert!([of(0, 274), of(1, 2), of(2, 1), of(7, 1)].into_iter().all(|id| !writer.must_last(id)));
    // An earlier deletion's word does not shorten it, and what is written that way is read like any other.
    writer.keep_from(300);
    assert!(writer.must_last(of(0, 273)));
    let mut frontier = Frontier::default();
    for leaf in 0..300_u32 {
        frontier.append(leaf_hash(&leaf.to_be_bytes()), |height, _, hash| writer.add(height, hash));
    }
    writer.flush().unwrap();
    assert_eq!(root_at(&Tiles::of(directory.path()), 300).unwrap(), frontier.root());
}
