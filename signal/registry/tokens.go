package registry

import (
	"context"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/token"
)

func (b *bolt) AddToken(_ context.Context, t token.Token) error {
	return b.db.Update(func(tx *bbolt.Tx) error { return putRow(tx, tokensBucket, []byte(t.ID), t) })
}

func (b *bolt) Token(_ context.Context, id string) (t token.Token, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error { return getRow(tx, tokensBucket, []byte(id), &t) })
	return t, err
}

func (b *bolt) Tokens(_ context.Context) (list []token.Token, err error) {
	_ = b.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(tokensBucket).ForEach(func(id, row []byte) error {
			var t token.Token
			if failed := decodeRow(id, row, &t); failed != nil {
				err = errors.Join(err, failed)
				return nil
			}
			list = append(list, t)
			return nil
		})
	})
	slices.SortStableFunc(list, func(a, b token.Token) int { return a.Created.Compare(b.Created) })
	return list, err
}

func (b *bolt) RevokeToken(_ context.Context, id string) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		tokens := tx.Bucket(tokensBucket)
		if tokens.Get([]byte(id)) == nil {
			return appointment.ErrUnknown
		}
		return tokens.Delete([]byte(id))
	})
}
