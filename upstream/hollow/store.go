package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// compactAfter is how many more lines than living keys the journal may have before it is rewritten.
const compactAfter = 10000

// Store keeps what must outlive this process: a map of keys to JSON, journalled line by line.
// A write is in the kernel when Put returns, so a killed process loses nothing; like the disk of a
// server that loses its power, a machine that goes down may lose the last moments.
type Store struct {
	mu    sync.Mutex
	path  string
	file  *os.File
	live  map[string]json.RawMessage
	lines int
}

type entry struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"` // absent: the key is gone
}

// OpenStore reads the journal at path and rewrites it without what is gone.
func OpenStore(path string) (*Store, error) {
	s := &Store{path: path, live: map[string]json.RawMessage{}}
	if err := s.read(); err != nil {
		return nil, err
	}
	return s, s.compact()
}

// Put records value under key.
func (s *Store) Put(key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[key] = data
	return s.append(entry{Key: key, Value: data})
}

// Delete forgets key.
func (s *Store) Delete(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.live[key]; !ok {
		return nil
	}
	delete(s.live, key)
	return s.append(entry{Key: key})
}

// DeleteAll forgets every key with the prefix.
func (s *Store) DeleteAll(prefix string) error {
	for key := range s.All(prefix) {
		if err := s.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// All returns what is recorded under keys with the prefix.
func (s *Store) All(prefix string) map[string]json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]json.RawMessage{}
	for key, value := range s.live {
		if strings.HasPrefix(key, prefix) {
			found[key] = value
		}
	}
	return found
}

func (s *Store) append(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return err
	}
	s.lines++
	if s.lines > 2*len(s.live)+compactAfter {
		return s.compact()
	}
	return nil
}

func (s *Store) read() error {
	file, err := os.Open(s.path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil // a line without its end was cut short: its write never returned
		}
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		if e.Value == nil {
			delete(s.live, e.Key)
		} else {
			s.live[e.Key] = e.Value
		}
	}
}

// compact writes the living keys to a new journal and goes on with that one.
func (s *Store) compact() error {
	partial := s.path + ".partial"
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	encoder := json.NewEncoder(out)
	for key, value := range s.live {
		if err := encoder.Encode(entry{Key: key, Value: value}); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if err := os.Rename(partial, s.path); err != nil {
		return err
	}
	if s.file != nil {
		s.file.Close()
	}
	s.file, s.lines = file, len(s.live)
	return nil
}
