/** `lookAlikeKey` of the domain as a condition on two rows of `route`, named by their aliases. */
export const lookAlike = (a: string, b: string): string => `
  ${a}.product_key = ${b}.product_key and ${a}.source_instance_id = ${b}.source_instance_id
  and ${a}.strategy = ${b}.strategy
  and ${a}.target_instance_ids @> ${b}.target_instance_ids and ${a}.target_instance_ids <@ ${b}.target_instance_ids`
