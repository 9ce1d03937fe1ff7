// Package keyring holds the keys that sign tokens: which of them signs now,
// which are shown to those who verify, and where their private halves rest. It
// knows nothing of what is signed.
//
// A key is next, then current, then previous, then gone. It is published for
// Terms.Publish before it signs, so that no verifier meets a token of a key it
// could not know, and for Terms.Keep after it last signed, so that no token
// outlives its key. Its private half is destroyed when it stops signing. What
// is due is decided by one pure function over the stored keys; processes that
// share a storage decide under its write lock, and so agree.
//
// A Vault keeps the private halves. Two are offered, against different thieves:
//
//   - Sealed encrypts them in the storage under a key in a file of its own. It
//     protects against whoever gets the database or a backup of it but not that
//     file. It does not against root on the machine, nor against whoever runs
//     code as the service or reads its memory: the keys are in it.
//   - RemoteVault asks a signer process. Who takes over the service can have
//     things signed while they are there, and can be shut out; they cannot carry
//     a key away. That holds when the signer runs as another user: as the same
//     one its files can be read, and only who reads the service's memory, or
//     its files by a hole in it, goes away empty-handed. It does not protect
//     against root, nor against who takes over the signer.
//
// Against a key that was stolen all the same there is Revoke.
package keyring
