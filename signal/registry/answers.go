package registry

import (
	"context"
	"time"

	"go.etcd.io/bbolt"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/token"
)

func (b *bolt) Answer(_ context.Context, key [32]byte, now time.Time) (answer Answer, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error { return getRow(tx, answersBucket, key[:], &answer) })
	if err == nil && answer.over(now) {
		err = appointment.ErrUnknown
	}
	answer.Key = key
	return answer, err
}

func (a Answer) over(now time.Time) bool { return !now.Before(a.Created.Add(AnswerLife)) }

// sweepAnswers deletes expired answers, and unreadable ones, which are of no use.
func sweepAnswers(tx *bbolt.Tx, now time.Time) error {
	return sweepRows(tx, answersBucket, func(key, row []byte) bool {
		var answer Answer
		return decodeRow(key, row, &answer) != nil || answer.over(now)
	})
}

// sweepTokens deletes tokens that have been over for Grace.
func sweepTokens(tx *bbolt.Tx, now time.Time) error {
	return sweepRows(tx, tokensBucket, func(id, row []byte) bool {
		var t token.Token
		return decodeRow(id, row, &t) == nil && t.Over(now.Add(-appointment.Grace))
	})
}

// sweepRows deletes the rows that are over. A bucket must not change under ForEach.
func sweepRows(tx *bbolt.Tx, bucket []byte, over func(key, row []byte) bool) error {
	var keys [][]byte
	_ = tx.Bucket(bucket).ForEach(func(key, row []byte) error {
		if over(key, row) {
			keys = append(keys, key)
		}
		return nil
	})
	for _, key := range keys {
		if err := tx.Bucket(bucket).Delete(key); err != nil {
			return err
		}
	}
	return nil
}
