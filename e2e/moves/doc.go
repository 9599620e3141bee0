// Package moves proves that HTTP/1 connections outlive the worker that has accepted them:
// they go to its receiver between two requests, and their clients notice nothing.
package moves
