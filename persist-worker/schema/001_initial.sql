-- The facts that must last. conversation_id leads every key of conversations, participants and
-- messages, so that the three can be partitioned or distributed by it and a write touches one shard;
-- for the same reason nothing refers to users by a foreign key.
-- Ids compare by bytes (collate "C"), as everywhere in Parley.

-- One row. A restore renews the generation: clients' positions then mean nothing any more.
create table database_state (
    only_row   boolean primary key default true check (only_row),
    generation uuid not null default gen_random_uuid()
);
insert into database_state default values;

create table users (
    id           text collate "C" primary key,
    name         text not null,
    role         text not null,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    last_seen_at timestamptz             -- when the last socket went, null: never seen to go
);

-- head_seq and last_activity_at change with every message and are in no index, so that the update
-- stays in its page (HOT); hence the room left in each page.
create table conversations (
    conversation_id  text collate "C" primary key,
    kind             text not null check (kind in ('direct', 'group')),
    title            text,
    creator_id       text collate "C" not null,
    members_version  bigint not null default 1,  -- groups: raised by every change of members
    head_seq         bigint not null default 0,  -- the highest seq; seqs count from 1 without a hole
    created_at       timestamptz not null,
    last_activity_at timestamptz not null        -- of the last message, else of the creation
) with (fillfactor = 70);

create table participants (
    conversation_id text collate "C" not null references conversations,
    user_id         text collate "C" not null,
    last_read_seq   bigint not null default 0,
    read_at         timestamptz,
    joined_at       timestamptz not null,
    primary key (conversation_id, user_id)
) with (fillfactor = 70);
create index participants_by_user on participants (user_id, conversation_id);

-- What became of a group's members, one row for each user and version: it makes a repeated request
-- recognizable and tells a returning client what it missed.
create table member_changes (
    conversation_id text collate "C" not null,
    members_version bigint not null,
    user_id         text collate "C" not null,
    added           boolean not null,            -- else removed
    changed_by      text collate "C" not null,
    changed_at      timestamptz not null,
    primary key (conversation_id, user_id, members_version)
);
create index member_changes_by_user on member_changes (user_id, changed_at);

-- The primary key is the history's index. It can't cover the text as well: a text may have 32,000
-- bytes, an index row at most 2,704.
create table messages (
    conversation_id text collate "C" not null,
    seq             bigint not null,
    id              uuid not null,               -- version 7
    sender_id       text collate "C" not null,
    client_id       text collate "C" not null,   -- makes a repeated send harmless
    socket_id       text,                        -- public id of the socket that sent it, if one did
    reply_to        bigint,                      -- seq in the same conversation
    text            text not null,
    created_at      timestamptz not null,        -- to the millisecond
    edited_at       timestamptz,
    deleted_at      timestamptz,
    primary key (conversation_id, seq),
    unique (conversation_id, sender_id, client_id)
);
