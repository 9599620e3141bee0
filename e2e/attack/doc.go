// Package attack gives a worker to an attacker, a program that speaks the frames of the link,
// and proves that its master, the files of root and the other workers are unharmed.
package attack
