// Package service runs the programs of docs/service.md.
package service
