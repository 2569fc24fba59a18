//! The tree and its proofs against another implementation of RFC 6962 (`ct-merkle`, on another SHA-256): each takes the other's.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;

use super::{
    Frontier, Hash, TileWriter, Tiles, consistency_proof, inclusion_proof, leaf_hash, root_at, verify_consistency,
    verify_inclusion,
};

/// Past two levels of tiles, and no power of two.
const RECORDS: u64 = 66_049;

fn record(index: u64) -> Vec<u8> {
    format!("record {index}").into_bytes()
}

/// Sizes and places at which trees change their form, and some between.
fn places(below: u64) -> Vec<u64> {
    let around = (0..17).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    let mut places: Vec<u64> = around.chain((1..40).map(|step| step * 1661)).filter(|place| *place < below).collect();
    places.sort_unstable();
    places.dedup();
    places
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.to_vec()
}

#[test]
fn tool_6_another_implementation_makes_the_same_tree_and_takes_our_proofs_as_we_take_its() {
    let directory = tempfile::tempdir().unwrap();
    let (mut frontier, mut theirs) = (Frontier::default(), MemoryBackedTree::<Sha256, Vec<u8>>::new());
    let mut tiles = TileWriter::resume(directory.path(), 0).unwrap();
    let wanted = places(RECORDS + 1);
    let mut roots: Vec<(u64, RootHash<Sha256>)> = Vec::new();
    for index in 0..RECORDS {
        theirs.push(record(index));
        frontier.append(leaf_hash(&record(index)), |height, _, hash| tiles.add(height, hash));
        if wanted.binary_search(&(index + 1)).is_ok() {
            assert_eq!(theirs.root().as_bytes().as_slice(), frontier.root(), "{} records", index + 1);
            roots.push((index + 1, theirs.root()));
        }
    }
    tiles.flush().unwrap();
    let (tiles, root, size) = (Tiles::of(directory.path()), theirs.root(), RECORDS);
    assert_eq!(root.as_bytes().as_slice(), root_at(&tiles, size).unwrap());
    for index in places(RECORDS) {
        let ours = inclusion_proof(&tiles, index, size).unwrap();
        let proof = InclusionProof::try_from_bytes(ours.concat()).unwrap();
        root.verify_inclusion(&record(index), index, &proof).unwrap();
        assert!(root.verify_inclusion(&record(index + 1), index, &proof).is_err(), "another record at {index}");
        let proof = hashes(theirs.prove_inclusion(index as usize).as_bytes());
        assert_eq!(proof, ours, "PATH({index}, D[{size}])");
        assert!(verify_inclusion(&leaf_hash(&record(index)), index, size, &proof, &frontier.root()));
    }
    for (old, old_root) in &roots {
        let ours = consistency_proof(&tiles, *old, size).unwrap();
        let proof = ConsistencyProof::try_from_bytes(ours.concat()).unwrap();
        root.verify_consistency(old_root, &proof).unwrap();
        let proof = hashes(theirs.prove_consistency((size - old) as usize).as_bytes());
        assert_eq!(proof, ours, "PROOF({old}, D[{size}])");
        let old_root = Hash::try_from(old_root.as_bytes().as_slice()).unwrap();
        assert!(verify_consistency(*old, size, &proof, &old_root, &frontier.root()));
    }
}

/// The tree of seven leaves of RFC 6962, 2.1.3 (RFC 9162, 2.1.5), whose proofs are written out there by the names of nodes.
#[test]
fn proofs_are_those_that_rfc_6962_writes_out_for_seven_leaves() {
    let leaf = |at: u64| leaf_hash(&record(at));
    let node = |left: &Hash, right: &Hash| super::node_hash(left, right);
    let [a, b, c, d, e, f, j] = [0, 1, 2, 3, 4, 5, 6].map(leaf);
    let (g, h, i) = (node(&a, &b), node(&c, &d), node(&e, &f));
    let (k, l) = (node(&g, &h), node(&i, &j));
    let root = node(&k, &l);
    let tree = super::Leaves((0..7).map(leaf).collect());
    assert_eq!(root_at(&tree, 7).unwrap(), root);
    for (index, path) in [(0, vec![b, h, l]), (3, vec![c, g, l]), (4, vec![f, j, k]), (6, vec![i, k])] {
        assert_eq!(inclusion_proof(&tree, index, 7).unwrap(), path, "of d{index}");
    }
    for (old, proof) in [(3, vec![c, d, g, l]), (4, vec![l]), (6, vec![i, j, k])] {
        assert_eq!(consistency_proof(&tree, old, 7).unwrap(), proof, "from {old}");
    }
}
