package cli

import (
	"fmt"
	"strings"
)

// makeAll calls create for 0 to n-1, some at a time, and hands what was made to each, in
// order. After a failure it begins nothing more; what was made by then is handed over
// all the same. It returns the first failure and what was not made.
func makeAll[T any](n, workers int, create func(i int) (T, error), each func(i int, made T) error) (missing []int, err error) {
	type result struct {
		i    int
		made T
		err  error
	}
	results := make(chan result, n)
	done := map[int]T{}
	begun, ended, next := 0, 0, 0
	// note keeps the first failure.
	note := func(failure error) {
		if err == nil {
			err = failure
		}
	}
	for {
		for ; begun < n && begun-ended < workers && err == nil; begun++ {
			go func(i int) {
				made, err := create(i)
				results <- result{i, made, err}
			}(begun)
		}
		if begun == ended {
			break
		}
		r := <-results
		ended++
		if r.err != nil {
			note(r.err)
			continue
		}
		done[r.i] = r.made
		// In order, so that what is printed is a list's beginning for as long as it can be.
		for made, ok := done[next]; ok; made, ok = done[next] {
			note(each(next, made))
			delete(done, next)
			next++
		}
	}
	for i := next; i < n; i++ {
		if made, ok := done[i]; ok {
			note(each(i, made))
		} else {
			missing = append(missing, i)
		}
	}
	return missing, err
}

// ranges writes rising numbers: 3, 5-20.
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		last := i
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		if last == i {
			parts = append(parts, fmt.Sprint(numbers[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", numbers[i], numbers[last]))
		}
		i = last + 1
	}
	return strings.Join(parts, ", ")
}
